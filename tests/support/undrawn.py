"""Runs without figures, which are most of what a small night costs: for tests of other things."""

from __future__ import annotations

from unittest import mock

from lightcurve.night import story

__all__ = ["reduce_night"]


def reduce_night(*arguments, **options):
    """`lightcurve.night.story.reduce_night`, but for the figures."""
    with mock.patch("lightcurve.night.drawing.draw_together", return_value={}):
        return story.reduce_night(*arguments, **options)
