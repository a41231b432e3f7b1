"""Draw a night: which figures there are, and what goes into each."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.columns import NEIGHBOURS
from lightcurve.core.data import LightCurve, StarRole, TransitFit
from lightcurve.core.progress import Progress, silent
from lightcurve.core.quantities import night_panels
from lightcurve.curve.detrend import column_median
from lightcurve.curve.form import star_curves
from lightcurve.curve.neb import Neighbour, check_neighbours
from lightcurve.night.fit_products import figures_of, predicted_events
from lightcurve.night.lights import label_files
from lightcurve.night.reduced import Night
from lightcurve.phot.aperture import measure_stars
from lightcurve.report.field import save_field
from lightcurve.report.light_curve import save_light_curve
from lightcurve.report.night import (
    save_growth,
    save_masters,
    save_night,
    save_seeing_profile,
    star_profile,
)
from lightcurve.report.stars import save_neighbours, save_noise, save_star_curves
from lightcurve.tables.run_tables import write_nebs
from lightcurve.transit.ephemeris import mark_transit

log = logging.getLogger(__name__)
N_PROFILES = 6
MIN_RADII = 4  # for a curve of growth; where fewer were measured, so many are on one frame:
N_LADDER = 12


def write_neighbours(out: Path, night: Night) -> dict[str, Path]:
    """Check every measured star near the target, and write nebs.csv and a figure.

    out: the run folder. Returns the files by name, none where no planet is known, no radius is
    wanted, or no star is that near.
    """
    radius = night.settings.stars.neb_radius_arcmin
    if night.target.planet is None or not radius:
        return {}
    # Parts per thousand, as predicted: this night may show none.
    depth = 1000 * night.target.planet.rp_over_rs**2
    found = check_neighbours(
        night.measurements, night.curve, depth_ppt=depth, radius_arcsec=60 * radius,
        in_transit=mark_transit(night.target.planet, night.curve.bjd_tdb),
    )  # fmt: skip
    log.info("neighbours: %s", describe(found, radius))
    if not found:
        return {}
    folder = out / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    figure = save_neighbours(
        folder / "neighbours.png", found, depth_ppt=depth, radius_arcmin=radius
    )
    table = write_nebs(out / NEIGHBOURS.name, found)
    return {"nebs.csv": table, "figures/neighbours.png": figure}


def describe(found: list[Neighbour], radius_arcmin: float) -> str:
    """Count the dispositions in words."""
    if not found:
        return f"no other star measured within {radius_arcmin:g}'"
    counts = Counter(n.disposition.value for n in found)
    parts = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    return f"{len(found)} within {radius_arcmin:g}': {parts}"


def write_figures(folder: Path, night: Night, *, progress: Progress = silent) -> list[Path]:
    """Draw all figures of a night into a folder, made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, Callable[[Path, Night], Any]] = {
        "light_curve": _light_curve,
        "seeing_profile": _seeing_profile,
        "cumulative_flux": _cumulative_flux,
        "field": _field,
        "star_curves": _star_curves,
        "noise": _noise,
        "night": _night,
    }
    if night.scene.masters is not None or not night.has_pixels:
        wanted["masters"] = _masters
    if night.fit is not None:
        wanted |= {name: _of_fit(draw, night.fit) for name, draw in figures_of(night.fit).items()}
    kept = set() if night.has_pixels else _of_pixels(night)
    paths = {name: folder / f"{name}.png" for name in wanted}
    for name, draw in progress(wanted.items(), "Drawing", len(wanted)):
        if name not in kept:
            draw(paths[name], night)
    return [path for name, path in paths.items() if name not in kept or path.is_file()]


def _of_pixels(night: Night) -> set[str]:
    """Name the figures that show pixels of frames: those of the run stay where there are none."""
    few = len(night.measurements.radii) < MIN_RADII
    return {"field", "seeing_profile", "masters", *(["cumulative_flux"] if few else [])}


def _of_fit(
    draw: Callable[[Path, LightCurve, TransitFit], Any], fit: TransitFit
) -> Callable[[Path, Night], Any]:
    return lambda path, night: draw(path, night.curve, fit)


def _title(night: Night) -> str:
    exposure = night.scene.reference.exposure
    words = [night.target.name, exposure.telescope, exposure.filter]
    return ", ".join(word for word in words if word)


def _light_curve(path: Path, night: Night) -> None:
    relative, _ = star_curves(night.measurements, night.curve)
    recipe, check, predicted = night.recipe, None, None
    if recipe.check_row is not None:
        measured = relative[:, recipe.check_row]
        judged = measured if recipe.check_flux is None else recipe.check_flux
        check = (f"{recipe.check}", judged, measured)
    if night.target.planet is not None:
        predicted = predicted_events(night.target.planet, night.curve)
    save_light_curve(
        path, night.curve, title=_title(night), fit=night.fit, check=check, predicted=predicted,
    )  # fmt: skip


def _shown_stars(night: Night) -> list[int]:
    """Rows of the target and of the comparison stars with most weight."""
    recipe = night.recipe
    heaviest = np.argsort(-np.array(recipe.weights), kind="stable")[: N_PROFILES - 1]
    return [0, *(recipe.comparison_rows[k] for k in heaviest)]


def _seeing_profile(path: Path, night: Night) -> None:
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
        times=m.bjd_tdb, fwhm=m.fwhm_px, title=f"Seeing profile, {frame.path.name}",
        scale_arcsec=night.scene.solution.scale_arcsec,
    )  # fmt: skip


def _cumulative_flux(path: Path, night: Night) -> None:
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
    title = f"Cumulative flux, {what}"
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


def _field(path: Path, night: Night) -> None:
    save_field(
        path, night.scene.reference.pixels, night.stars, radius=night.recipe.radius_px,
        outer=night.measurements.annulus[1], solution=night.scene.solution,
        title=f"{_title(night)}: {night.scene.reference.path.name}",
    )  # fmt: skip


def _masters(path: Path, night: Night) -> None:
    masters = night.scene.masters
    images = {name: getattr(masters, name) for name in ("bias", "dark", "flat")}
    save_masters(path, {name: image for name, image in images.items() if image is not None})


def _star_curves(path: Path, night: Night) -> None:
    relative, _ = star_curves(night.measurements, night.curve)
    rows = list(night.recipe.comparison_rows)
    check = night.recipe.check_row
    rows = rows if check is None else [check, *rows]
    save_star_curves(
        path, night.measurements.bjd_tdb, relative[:, rows], names=list(night.stars.star_id[rows]),
        roles=list(night.stars.role[rows]),
    )  # fmt: skip


def _noise(path: Path, night: Night) -> None:
    from lightcurve.curve.detrend import column_scatter

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
    )  # fmt: skip


def _night(path: Path, night: Night) -> None:
    save_night(
        path,
        night.measurements,
        night_panels(night.curve, night.measurements),
        title=_title(night),
    )
