"""How often Python looks for objects that hold themselves, and among which."""

from __future__ import annotations

import gc

__all__ = ["keep_all", "keep_loaded"]

RARELY = 20_000  # new objects between two looks; every 700 costs 5 % of all


def keep_loaded() -> None:
    """Take all there is for lasting; among what is new look rarely for what holds itself."""
    keep_all()
    gc.set_threshold(RARELY)
    gc.enable()


def keep_all() -> None:
    """Never look again among what there is; at the end of a program that takes a tenth of a second.

    The system takes it all back at once.
    """
    gc.freeze()
