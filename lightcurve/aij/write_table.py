"""AstroImageJ's measurement table and aperture file: its names, order, units and conventions.

Its pixels: X(IJ), Y(IJ) are continuous and count from the top left corner, so the centre of the
first pixel of the top row is (0.5, 0.5); X(FITS), Y(FITS) are 1-based from the bottom left.
RA is in hours. Fluxes are ADU.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lightcurve.aij.relative_flux import relative_fluxes
from lightcurve.core.data import LightCurve, Measurements, StarPlan, StarRole
from lightcurve.core.errors import InputError
from lightcurve.core.files import write_text
from lightcurve.core.flags import Flag
from lightcurve.core.table_text import cell
from lightcurve.core.times import altitude_deg, hjd_utc
from lightcurve.curve.aperture import Slice, interpolation_weights, take_aperture

__all__ = ["write_apertures", "write_measurements"]


PIXEL_COUNTS = ("N_Src_Pixels", "N_Sky_Pixels")


def write_measurements(
    path: str | Path,
    measurements: Measurements,
    light_curve: LightCurve,
    *,
    image_height: int,
    saturation_adu: float | None = None,
) -> Path:
    """Write the measurements as a table that AstroImageJ opens, one row a measured frame.

    Stars keep their numbers. T1 is the target. A comparison star of the ensemble that was measured
    in every frame is a C star; all others up to the last number needed are T stars, as AstroImageJ
    has them. ``rel_flux`` is its plain, unweighted sum over the C stars, each left out of its own.

    Parameters
    ----------
    path : path-like
        ``.csv`` makes commas, any other name tabs.
    light_curve : LightCurve
        Its recipe gives the aperture, the ensemble and the check star.
    image_height : int
        NAXIS2 of the frames: AstroImageJ counts rows from the top.
    saturation_adu : float, optional
        Peaks at or above it fill the column Saturated.

    Raises
    ------
    InputError
        When the light curve has no recipe.
    """
    recipe = light_curve.recipe
    if recipe is None:
        msg = f"{path}: the light curve does not say its aperture and comparison stars"
        raise InputError(msg)
    piece = take_aperture(measurements, recipe.aperture)
    check = [] if recipe.check_row is None else [recipe.check_row]
    n_star = 1 + max([*recipe.comparison_rows, *check, 0])
    if measurements.fwhm_factor is not None:  # its radius hangs on all these stars
        n_star = max(n_star, measurements.plan.n_compared)
    comparisons = _steady(piece, recipe.comparison_rows)
    names = [f"{'C' if k in comparisons else 'T'}{k + 1}" for k in range(n_star)]
    columns = _frame_columns(measurements, piece, n_star, saturation_adu)
    columns |= _relative_columns(piece, names, comparisons)
    stars = _star_columns(measurements, piece, image_height)
    for k, star in enumerate(names):
        first = k == 0  # AstroImageJ puts the later stars' pixel counts at the end of the row
        columns |= {
            f"{c}_{star}": v[:, k] for c, v in stars.items() if first or c not in PIXEL_COUNTS
        }
    for k, star in enumerate(names[1:], start=1):
        columns |= {f"{c}_{star}": stars[c][:, k] for c in PIXEL_COUNTS}
    columns |= _sky_columns(measurements)
    delimiter = "," if str(path).lower().endswith(".csv") else "\t"
    return write_text(path, _layout(columns, delimiter))


def _steady(piece: Slice, rows: tuple[int, ...]) -> list[int]:
    """Comparison stars whose flux stands in every frame where the target's does.

    A star that comes and goes would put a step into a plain sum. All, where none is steady.
    """
    present = np.isfinite(piece.flux) & (piece.flags & int(Flag.EDGE) == 0)
    wanted = present[:, 0]
    steady = [row for row in rows if present[wanted, row].all()]
    return steady or list(rows)


def _frame_columns(
    measurements: Measurements, piece: Slice, n_star: int, saturation: float | None
) -> dict[str, np.ndarray]:
    n_frame = len(measurements.file)
    peak = np.fmax.reduce(piece.peak[:, :n_star], axis=1)
    over = np.zeros(n_frame) if saturation is None else np.where(peak >= saturation, peak, 0.0)
    fwhm = measurements.fwhm[:, :n_star]
    n_fwhm = np.isfinite(fwhm).sum(axis=1)
    mean_fwhm = np.where(n_fwhm > 0, np.nansum(fwhm, axis=1) / np.maximum(n_fwhm, 1), np.nan)
    return {
        "Label": np.array([label.replace(",", ";") for label in measurements.file]),
        "slice": np.arange(1, n_frame + 1),
        "Saturated": over,
        "J.D.-2400000": measurements.jd_utc - 2400000.0,
        "JD_UTC": measurements.jd_utc,
        "EXPTIME": measurements.exposure_s,
        "FWHM_Mean": mean_fwhm,
        "Source_Radius": piece.radius,
        **_variable(measurements),
        "Sky_Rad(min)": np.full(n_frame, measurements.annulus[0]),
        "Sky_Rad(max)": np.full(n_frame, measurements.annulus[1]),
    }


def _variable(measurements: Measurements) -> dict[str, np.ndarray]:
    """Columns of an aperture that follows the seeing in AstroImageJ's way."""
    if measurements.fwhm_factor is None:
        return {}
    n = len(measurements.file)
    return {
        "FWHM_Mult": np.full(n, measurements.fwhm_factor),
        "Source_Rad(base)": np.full(n, measurements.radii[0]),
    }


def _sky_columns(measurements: Measurements) -> dict[str, np.ndarray]:
    """Heliocentric and barycentric times, airmass and altitude of the target (first star)."""
    m, site = measurements, measurements.site
    place = (m.jd_utc, float(m.plan.ra_deg[0]), float(m.plan.dec_deg[0]))
    return {
        "HJD_UTC": hjd_utc(*place, site),
        "BJD_TDB": m.bjd_tdb,
        "AIRMASS": m.airmass,
        "ALT_OBJ": np.full(len(m.file), np.nan) if site is None else altitude_deg(*place, site),
    }


def _relative_columns(
    piece: Slice, names: list[str], comparisons: list[int]
) -> dict[str, np.ndarray]:
    """Form AstroImageJ's relative flux, error and signal to noise for each star."""
    n_star = len(names)
    of_comparisons = np.isin(np.arange(n_star), comparisons)
    found = relative_fluxes(piece.flux[:, :n_star], piece.flux_err[:, :n_star], of_comparisons)
    columns = {
        f"{quantity}_{star}": found[quantity][:, k]
        for quantity in ("rel_flux", "rel_flux_err", "rel_flux_SNR")
        for k, star in enumerate(names)
    }
    return columns | {name: found[name][:, 0] for name in ("tot_C_cnts", "tot_C_err")}


def _star_columns(measurements: Measurements, piece: Slice, height: int) -> dict[str, np.ndarray]:
    """Columns of one aperture, each (n_frame, n_star), in AstroImageJ's order."""
    m = measurements
    weights = interpolation_weights(m.radii, piece.radius)
    # The area is exact at every radius of the ladder; a cubic through them is exact for pi r^2.
    area = np.einsum("fsr,fr->fs", np.nan_to_num(m.area), weights)
    area = np.where(np.isfinite(piece.flux), area, np.nan)
    shape = (len(m.file), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        snr, mean = piece.flux / piece.flux_err, piece.flux / area
    return {
        "X(IJ)": m.x + 0.5,
        "Y(IJ)": height - 0.5 - m.y,
        "X(FITS)": m.x + 1.0,
        "Y(FITS)": m.y + 1.0,
        "RA": np.tile(m.plan.ra_deg / 15.0, shape),
        "DEC": np.tile(m.plan.dec_deg, shape),
        "Source-Sky": piece.flux,
        "N_Src_Pixels": area,
        "Source_Error": piece.flux_err,
        "Source_SNR": snr,
        "Peak": piece.peak,
        "Mean": mean,
        "Sky/Pixel": m.star_sky,
        "N_Sky_Pixels": m.n_sky,
        "FWHM": m.fwhm,
        "Width": (m.x_width + m.y_width) / 2,
        "X-Width": m.x_width,
        "Y-Width": m.y_width,
        "Angle": -m.angle_deg % 360,  # AstroImageJ's turns towards the bottom of the image
        "Roundness": m.roundness,
    }


def _layout(columns: dict[str, np.ndarray], delimiter: str) -> str:
    lines = [delimiter.join(columns)]
    lines += map(delimiter.join, zip(*map(_cells, columns.values()), strict=True))
    return "\n".join(lines) + "\n"


def _cells(column: np.ndarray) -> list[str]:
    """Write a column as AstroImageJ does: ``NaN`` in words, whole numbers without a point.

    At once where it is of floats: a night of many stars has millions of them.
    """
    if column.dtype.kind == "f":
        texts = map(repr, column.tolist())
        return ["NaN" if text == "nan" else text.removesuffix(".0") for text in texts]
    return [cell(value) for value in column]


def write_apertures(
    path: str | Path,
    plan: StarPlan,
    rows: Sequence[int],
    *,
    radius: float,
    annulus: tuple[float, float],
    image_height: int,
) -> Path:
    """Write stars, rows of the plan, and radii as an aperture file that AstroImageJ opens.

    The target comes first; the height of the image is NAXIS2 of the reference frame.
    """
    chosen = np.asarray(rows, dtype=int)
    comparison = [("true" if plan.role[k] == StarRole.COMPARISON else "false") for k in rows]
    every = ",".join(["true"] * len(rows))

    def joined(values: np.ndarray) -> str:
        return ",".join(repr(float(v)) for v in values[chosen])

    lines = {
        "aperture.radius": repr(float(radius)),
        "aperture.rback1": repr(float(annulus[0])),
        "aperture.rback2": repr(float(annulus[1])),
        "aperture.removebackstars": "true",
        "aperture.backplane": "false",
        "multiaperture.usevarsizeap": "false",
        "multiaperture.isrefstar": ",".join(comparison),
        "multiaperture.centroidstar": every,
        "multiaperture.isalignstar": every,
        "multiaperture.xapertures": joined(plan.x_ref + 0.5),
        "multiaperture.yapertures": joined(image_height - 0.5 - plan.y_ref),
        "multiaperture.absmagapertures": ",".join(["99.999"] * len(rows)),
        "multiaperture.raapertures": joined(plan.ra_deg),
        "multiaperture.decapertures": joined(plan.dec_deg),
    }
    return write_text(path, "".join(f".{key}={value}\n" for key, value in lines.items()))
