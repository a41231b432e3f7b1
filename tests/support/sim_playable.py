"""A made-up night as a page in which choices can be tried, and what the program makes of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

from lightcurve.core.data import Choice, LightCurve, Measurements, Planet
from lightcurve.core.settings import make_settings
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.retake import choice_of, retake
from lightcurve.night.page import own_curve
from lightcurve.report.page.contents import Page, Star
from lightcurve.report.page.cube import Observed, cube_rows, make_cube
from lightcurve.transit.ephemeris import mark_transit
from lightcurve.transit.limb_darkening import limb_darkening_prior
from lightcurve.transit.model import transit_flux
from lightcurve.transit.quick import QuickFit, quick_fit
from sim_cube import CubeTruth, cube_times, simulate_cube
from sim_page import make_page

PLANET = Planet("b", 10.0, 20.0, 2.0, 2460000.68, 0.12, 9.0, 88.5, teff_k=5800.0)
EXPOSURE_S = 100.0
SETTINGS = make_settings({})


@dataclass(frozen=True)
class Playable:
    """A page, and what stands behind it."""

    page: Page
    measurements: Measurements
    choice: Choice  # the program's own

    def by_program(self, choice: Choice) -> tuple[LightCurve, QuickFit]:
        """What the program makes of a choice."""
        inside = mark_transit(PLANET, self.measurements.bjd_tdb)
        curve = retake(self.measurements, SETTINGS, choice, in_transit=inside)
        told = {"exposure_s": EXPOSURE_S, "filter_name": "R"}
        return curve, quick_fit(curve, PLANET, choice.covariates, **told)


def make_playable(n_frames: int = 90, n_stars: int = 12) -> Playable:
    """A transit over `n_frames` frames, with the program's choice detrended by airmass."""
    truth, rng = CubeTruth(n_stars=n_stars, red_noise=1e-3), np.random.default_rng(7)
    b = PLANET.a_over_rs * np.cos(np.radians(PLANET.inclination_deg))
    theta = np.array(
        [PLANET.t0_bjd_tdb, 0.115, PLANET.a_over_rs, b, *limb_darkening_prior(5800.0, "R")[0]]
    )
    dip = transit_flux(cube_times(n_frames, truth), theta, PLANET, exposure_days=EXPOSURE_S / 86400)
    m = simulate_cube(dip, truth, rng)
    inside = mark_transit(PLANET, m.bjd_tdb)
    own = choose_curve(m, SETTINGS, in_transit=inside)
    choice = choice_of(own, m, SETTINGS, ("airmass",))
    rows = cube_rows(m, own)
    cube = make_cube(m, rows, own, Observed(SETTINGS, inside, None, PLANET, EXPOSURE_S, "R"))
    plan = m.plan
    stars = [
        Star(row, str(name), str(role), "is fit", 10.0, 20.0, 9.0, 9.0, in_cube=row in rows)
        for row, (name, role) in enumerate(zip(plan.star_id, plan.role, strict=True))
    ]
    page = make_page(n_frames, cube=cube, choice=asdict(choice), stars=stars)
    frames = replace(page.frames, file=list(m.file), jd_utc=m.jd_utc, bjd_tdb=m.bjd_tdb)
    curve = own_curve(own, None, PLANET, 0.0)
    return Playable(replace(page, frames=frames, curve=curve), m, choice)
