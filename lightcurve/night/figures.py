"""Every figure of a light curve: what goes into it, and what it cannot be drawn without."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.core.covariates import covariate_named
from lightcurve.core.data import StarRole, TransitFit
from lightcurve.core.errors import InputError
from lightcurve.core.quantities import night_panels
from lightcurve.core.registry import Registry
from lightcurve.curve.detrend import column_median, column_scatter
from lightcurve.curve.form import star_curves
from lightcurve.curve.neb import Neighbour, check_neighbours
from lightcurve.night.finished import Finished
from lightcurve.night.lights import label_files
from lightcurve.night.pictures import pixels_of
from lightcurve.night.reduced import Night
from lightcurve.phot.aperture import measure_stars
from lightcurve.report.field import save_field
from lightcurve.report.fit import save_corner, save_covariates, save_time_averaging
from lightcurve.report.html import as_printed, in_words
from lightcurve.report.light_curve import save_light_curve
from lightcurve.report.night import (
    save_growth,
    save_masters,
    save_night,
    save_seeing_profile,
    star_profile,
)
from lightcurve.report.stars import MAX_CURVES, save_neighbours, save_noise, save_star_curves
from lightcurve.report.style import half_width
from lightcurve.transit.ephemeris import mark_transit
from lightcurve.transit.quality import time_averaging

__all__ = ["FIGURES"]

log = logging.getLogger(__name__)
N_PROFILES = 6
MIN_RADII = 4  # for a curve of growth; where fewer were measured, so many are on one frame:
N_LADDER = 12
FEWEST = 3  # points, of whose residuals averages can be drawn
# Of the frames: how each is called, its unit, and its digits.
CONDITIONS = {
    "fwhm_px": ("FWHM", " px", 1),
    "sky": ("sky", " ADU", 0),
    "airmass": ("airmass", "", 2),
}
SAMPLED = {"rp_over_rs": "Rp/R*", "a_over_rs": "a/R*", "impact_parameter": "impact parameter"}
ROLES = {"C": StarRole.COMPARISON, "K": StarRole.CHECK}


def find_neighbours(night: Night) -> tuple[Neighbour, ...]:
    """Check every measured star near the target; none where no planet or no radius is given."""
    radius = night.settings.stars.neb_radius_arcmin
    if night.target.planet is None or not radius:
        return ()
    # Parts per thousand, as predicted: this night may show none.
    depth = 1000 * night.target.planet.rp_over_rs**2
    found = check_neighbours(
        night.measurements, night.curve, depth_ppt=depth, radius_arcsec=60 * radius,
        in_transit=mark_transit(night.target.planet, night.curve.bjd_tdb),
    )  # fmt: skip
    log.info("neighbours: %s", describe(found, radius))
    return tuple(found)


def describe(found: Sequence[Neighbour], radius_arcmin: float) -> str:
    """Count the dispositions in words."""
    if not found:
        return f"no other star measured within {radius_arcmin:g}'"
    counts = Counter(n.disposition.value for n in found)
    parts = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    return f"{len(found)} within {radius_arcmin:g}': {parts}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a light curve.

    caption : below it, on the page.
    lacks : what it cannot be drawn without and is not there; empty where it can be drawn.
    draw : writes it.
    early : whether it can be drawn before anything is fitted to the light curve.
    """

    name: str
    caption: str
    lacks: Callable[[Finished], str]
    draw: Callable[[Path, Finished], object]
    early: bool = False

    @property
    def help(self) -> str:
        """What it shows."""
        return self.caption


def _nothing(_: Finished) -> str:
    return ""


def _light_curve(path: Path, night: Finished) -> None:
    save_light_curve(
        path, night.curve, title=night.headline, facts=night.facts, fit=night.fit,
        smooth=night.smooth, check=night.check, predicted=night.predicted,
    )  # fmt: skip


def _star_curves(path: Path, night: Finished) -> None:
    stars = night.curve.stars
    if stars is None:
        return
    # The check star first, then as they are numbered.
    order = sorted(
        range(len(stars.names)), key=lambda k: (stars.names[k][0] != "K", int(stars.names[k][1:]))
    )
    names = [stars.names[k] for k in order]
    save_star_curves(
        path, night.curve.bjd_tdb, stars.flux[:, order], names=names,
        roles=[ROLES[name[0]] for name in names],
        title=f"{night.whose}: {_quiet(stars.flux, MAX_CURVES)}",
    )  # fmt: skip


def _quiet(flux: np.ndarray, most: int) -> str:
    """Say how much stars scatter, (n, n_star), relative, and that only so many are drawn."""
    percent = [100 * half_width(column) for column in flux.T]
    known = [value for value in percent if np.isfinite(value)]
    scatter = f", scatter {np.median(known):.2g} % (median)" if known else ""
    n = flux.shape[1]
    drawn = f" (the first {most} drawn)" if n > most else ""
    return f"{n} stars{drawn}, each against the others{scatter}"


def _no_stars(night: Finished) -> str:
    stars = night.curve.stars
    return "" if stars is not None and stars.names else "curves of comparison stars"


def _conditions(path: Path, night: Finished) -> None:
    title = f"{night.whose}: {_conditions_told(night.curve.columns)}"
    save_night(path, night.curve, night_panels(night.curve), title=title)


def _conditions_told(columns: Mapping[str, np.ndarray]) -> str:
    """Say from what to what the conditions were; (n,) each."""
    told = []
    for name, (label, unit, digits) in CONDITIONS.items():
        known = columns.get(name, np.empty(0))
        known = known[np.isfinite(known)]
        if known.size:
            low, high = (f"{value:.{digits}f}" for value in np.percentile(known, [5, 95]))
            told.append(f"{label} {low} to {high}{unit}")
    return ", ".join(told) or "the conditions"


def _no_panels(night: Finished) -> str:
    return "" if night_panels(night.curve) else "columns of the frames, such as fwhm_px or sky"


def _no_fit(night: Finished) -> str:
    return "" if night.fit is not None else "a fit (fit.json)"


def _fit_of(night: Finished) -> TransitFit:
    if night.fit is None:
        msg = f"{night.name}: no fit of it"
        raise InputError(msg)
    return night.fit


def _time_averaging(path: Path, night: Finished) -> None:
    fit = _fit_of(night)
    order = np.argsort(night.curve.bjd_tdb[fit.used])
    time, left = night.curve.bjd_tdb[fit.used][order], fit.residuals[fit.used][order]
    _, *bins = time_averaging(time, left)
    beta = fit.statistics.get("beta", np.nan)
    told = f": averages scatter {beta:.2f} times as much as of white noise" if beta > 0 else ""
    save_time_averaging(path, *bins, title=f"{night.whose}{told}")


def _few_residuals(night: Finished) -> str:
    lacking = _no_fit(night)
    return lacking or ("" if _fit_of(night).used.sum() >= FEWEST else "residuals of three points")


def _no_covariates(night: Finished) -> str:
    known = night.curve.covariates.values()
    return _no_fit(night) or ("" if any(map(np.any, map(np.isfinite, known))) else "covariates")


def _covariates(path: Path, night: Finished) -> None:
    fit = _fit_of(night)
    covariates = {name: values[fit.used] for name, values in night.curve.covariates.items()}
    left = (night.curve.flux / fit.model)[fit.used]
    by = ", ".join(covariate_named(name).label for name in fit.covariates) or "nothing"
    title = f"{night.whose}: the flux but for the transit, detrended by {by}"
    save_covariates(path, covariates, left, chosen=fit.covariates, title=title)


def _corner(path: Path, night: Finished) -> None:
    fit = _fit_of(night)
    if fit.samples is not None:
        told = [
            f"{label} {as_printed(in_words(fit.parameters[name], ''))}"
            for name, label in SAMPLED.items()
            if name in fit.parameters
        ]
        title = f"{night.whose}: {', '.join(told)}"
        save_corner(path, fit.samples, fit.sample_names, title=title)


def _no_samples(night: Finished) -> str:
    there = night.fit is not None and night.fit.samples is not None
    return "" if there else "samples of the posterior"


def _neighbours(path: Path, night: Finished) -> None:
    if night.planet is not None:
        save_neighbours(
            path, night.neighbours, depth_ppt=1000 * night.planet.rp_over_rs**2,
            radius_arcmin=night.neb_radius_arcmin, title=night.whose,
        )  # fmt: skip


def _no_neighbours(night: Finished) -> str:
    if night.planet is None:
        return "a planet"
    return "" if night.neighbours else "neighbours (nebs.csv)"


def _no_pixels(finished: Finished) -> str:
    night = finished.night
    return "" if night is not None and night.has_pixels else PIXELS


def _no_cube(finished: Finished) -> str:
    return "" if finished.night is not None else "measurements of all stars (night.bin)"


def _no_growth(finished: Finished) -> str:
    night = finished.night
    ladder = night is not None and len(night.measurements.radii) >= MIN_RADII
    return "" if ladder else _no_pixels(finished)


def _no_masters(finished: Finished) -> str:
    return _no_pixels(finished) or ("" if _master_images(finished) else "master frames")


def _shown_stars(night: Night) -> list[int]:
    """Rows of the target and of the comparison stars with most weight."""
    recipe = night.recipe
    heaviest = np.argsort(-np.array(recipe.weights), kind="stable")[: N_PROFILES - 1]
    return [0, *(recipe.comparison_rows[k] for k in heaviest)]


def _seeing_profile(path: Path, finished: Finished) -> None:
    night = finished.need_night()
    m, frame = night.measurements, night.scene.reference
    rows = np.flatnonzero(m.file == label_files(night.scene.lights)[frame.path])
    shown = int(rows[0]) if rows.size else 0
    profiles = [
        star_profile(
            frame.pixels, (m.x[shown, row], m.y[shown, row]), m.star_sky[shown, row], m.annulus[1],
            star_id=str(night.stars.star_id[row]), role=StarRole(night.stars.role[row]),
            fwhm=m.fwhm[shown, row],
        )
        for row in _shown_stars(night)
    ]  # fmt: skip
    save_seeing_profile(
        path, profiles, radius=float(night.recipe.radius_per_frame_px[shown]), annulus=m.annulus,
        times=m.bjd_tdb, fwhm=m.fwhm_px, title=f"{finished.whose}: {_seeing(night)}",
        facts=(f"above: {frame.path.name}",), scale_arcsec=night.scene.solution.scale_arcsec,
    )  # fmt: skip


def _seeing(night: Night) -> str:
    """Say how wide stars were."""
    known = night.measurements.fwhm_px[np.isfinite(night.measurements.fwhm_px)]
    if not known.size:
        return "no star's width could be measured"
    scale = night.scene.solution.scale_arcsec
    return f"FWHM {np.median(known):.2f} px ({np.median(known) * scale:.1f} arcsec)"


def _cumulative_flux(path: Path, finished: Finished) -> None:
    night = finished.need_night()
    m, rows, chosen = night.measurements, _shown_stars(night), night.recipe.radius_px
    if len(m.radii) >= MIN_RADII:
        radii, what = m.radii, "median of the night"
        shape = len(m.flux), len(rows) * len(radii)
        flux, error = (
            column_median(cube[:, rows].reshape(shape)).reshape(len(rows), -1)
            for cube in (m.flux, m.flux_err)
        )
    else:
        radii, flux, error = _grow(night, rows, chosen)
        what = night.scene.reference.path.name
    roles = list(night.stars.role[rows])
    share = 100 * float(np.interp(chosen, radii, flux[0])) / flux[0, -1]
    inside = f"takes {share:.0f} % of the target's light" if np.isfinite(share) else "was chosen"
    title = f"{finished.whose}: an aperture of {chosen:.1f} px {inside} ({what})"
    save_growth(path, radii, flux, error, roles=roles, radius=chosen, title=title)


def _grow(
    night: Night, rows: list[int], chosen: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radii up to the sky annulus, with flux and error of stars in the reference frame."""
    frame, plan, recipe = night.scene.reference, night.stars, night.scene.recipe
    largest = max(recipe.annulus[0], 1.2 * chosen)
    radii = np.union1d(np.linspace(largest / N_LADDER, largest, N_LADDER), [chosen])
    places = plan.x_ref[rows], plan.y_ref[rows]
    found = measure_stars(frame.pixels, frame.bad, *places, radii, recipe.annulus, recipe.noise)
    return radii, found.flux, found.flux_err


def _field(path: Path, finished: Finished) -> None:
    night = finished.need_night()
    small = night.scene.picture  # which a finished run keeps
    if small is None:
        return
    n = int((night.stars.role == StarRole.COMPARISON).sum())
    file = night.scene.reference.path.name
    save_field(
        path, pixels_of(small), night.stars, radius=night.recipe.radius_px,
        outer=night.measurements.annulus[1], solution=night.scene.solution, step=small.step,
        title=f"{finished.whose}: target and {n} comparison stars in {file}",
    )  # fmt: skip


def _no_picture(finished: Finished) -> str:
    there = finished.night is not None and finished.night.scene.picture is not None
    return "" if there else "a picture of the reference frame (night.bin)"


def _masters(path: Path, finished: Finished) -> None:
    save_masters(path, _master_images(finished), title=f"{finished.whose}: master frames")


def _master_images(finished: Finished) -> dict[str, np.ndarray]:
    """Pick the master frames that there are, (ny, nx) each: none of a map of bad pixels alone."""
    masters = finished.need_night().scene.masters
    images = {name: getattr(masters, name, None) for name in ("bias", "dark", "flat")}
    return {name: image for name, image in images.items() if image is not None}


def _scatter_told(scatter: np.ndarray, roles: np.ndarray) -> str:
    """Say how much the target scatters among the stars, (n,) each."""
    of_target = scatter[roles == StarRole.TARGET]
    if not of_target.size or not np.isfinite(of_target[0]):
        return f"scatter of {len(scatter)} stars from point to point"
    return f"the target scatters by {100 * of_target[0]:.2g} % from point to point"


def _noise(path: Path, finished: Finished) -> None:
    night = finished.need_night()
    relative, error = star_curves(night.measurements, night.curve)
    known = np.isfinite(relative).sum(axis=0) > 0.5 * len(relative)
    relative, error, roles = relative[:, known], error[:, known], night.stars.role[known]
    k = int(np.argmin(np.abs(night.measurements.radii - night.recipe.radius_px)))
    flux = np.nanmedian(night.measurements.flux[:, known, k], axis=0)
    scatter = column_scatter(np.diff(relative, axis=0)) / np.sqrt(2)
    bright = flux > 0
    save_noise(
        path, -2.5 * np.log10(flux[bright]), scatter[bright], roles=list(roles[bright]),
        model={"expected": np.nanmedian(error[:, bright], axis=0)},
        title=f"{finished.whose}: {_scatter_told(scatter[bright], roles[bright])}",
    )  # fmt: skip


PIXELS = "frames at hand: `run` draws it into RUN/figures"
FIGURES: Registry[Figure] = Registry(
    "figure",
    Figure("light_curve", "Relative flux of the target.", _nothing, _light_curve),
    Figure(
        "seeing_profile",
        "Radial profiles with aperture and sky annulus; FWHM along the night.",
        _no_pixels,
        _seeing_profile,
        early=True,
    ),
    Figure(
        "cumulative_flux",
        "Flux inside a growing radius: flat where the aperture is wide enough.",
        _no_growth,
        _cumulative_flux,
        early=True,
    ),
    Figure("field", "The reference frame with the apertures.", _no_picture, _field, early=True),
    Figure("masters", "The master calibration frames.", _no_masters, _masters, early=True),
    Figure(
        "star_curves",
        "Each comparison star against the others.",
        _no_stars,
        _star_curves,
        early=True,
    ),
    Figure(
        "noise",
        "Scatter of every star from point to point, against its brightness.",
        _no_cube,
        _noise,
        early=True,
    ),
    Figure(
        "neighbours",
        "Neighbours that could feign the transit: scatter and what is needed.",
        _no_neighbours,
        _neighbours,
    ),
    Figure("night", "The conditions along the night.", _no_panels, _conditions, early=True),
    Figure(
        "time_averaging",
        "Scatter of the residuals in bins, beside what white noise does.",
        _few_residuals,
        _time_averaging,
    ),
    Figure("covariates", "What the flux may depend on.", _no_covariates, _covariates),
    Figure("corner", "The posterior of the fit.", _no_samples, _corner),
)


# Those that are no charts of a run's page, in its order.
ON_PAGE = (
    "corner", "time_averaging", "covariates", "seeing_profile", "cumulative_flux", "noise",
    "neighbours", "masters",
)  # fmt: skip
