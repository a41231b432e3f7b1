"""What the page of a night needs to work out the curve of any choice by itself."""

from __future__ import annotations

from dataclasses import asdict, replace

from lightcurve.curve.retake import choice_of
from lightcurve.night.reduced import Night
from lightcurve.night.settle import predicted_transit
from lightcurve.report.page.contents import Page
from lightcurve.report.page.cube import Observed, cube_rows, make_cube, pack_star_curves


def with_cube(page: Page, night: Night) -> Page:
    """Put the cube, the run's choice and the program's own, and the stars' curves into a page."""
    m, exposure = night.measurements, night.scene.reference.exposure
    observed = Observed(
        settings=night.settings,
        in_transit=predicted_transit(night.target, m),
        blend=night.blend,
        planet=night.target.planet,
        exposure_s=exposure.exposure_s,
        filter_name=exposure.filter,
    )
    rows = cube_rows(m, night.curve)
    choice, *untuned = (
        asdict(choice_of(made.curve, m, made.settings, made.fit.covariates if made.fit else ()))
        for made in (night, night.own)
        if made is not None
    )
    curves, kept = pack_star_curves(m, night.curve), set(rows)
    stars = [replace(star, in_cube=star.row in kept, curve=curves[star.row]) for star in page.stars]
    cube = make_cube(m, rows, night.curve, observed)
    own = untuned[0] if untuned else None
    return replace(page, cube=cube, choice=choice, untuned=own, stars=stars)
