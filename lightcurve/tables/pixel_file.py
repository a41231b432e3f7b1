"""Target pixel files of TESS and Kepler, and cut-outs of full frames: a light curve of our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.aij.read_table import AijTable, table_of_columns
from lightcurve.astrometry.wcs_cards import wcs_of
from lightcurve.core.data import Note, Severity
from lightcurve.core.errors import InputError, SolveError
from lightcurve.core.table_text import parse_numbers, printable
from lightcurve.phot.stamps import Stamp, StampCurve, gaussian_share, measure_stamps

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["PixelFile"]

LEAST, MOST_SIDE, MOST_ROWS = 3, 300, 2_000_000  # pixels, pixels, cadences
IN_APERTURE = 2  # bit of the extension APERTURE
WIDTHS = np.geomspace(0.3, 3.0, 40)  # sigma of a star, pixels, one of which FLFRCSAP tells


@dataclass(frozen=True, slots=True, eq=False)
class PixelFile:
    """What is told of a star's pixels beside its light curve.

    Attributes
    ----------
    measured : StampCurve
    crowding : float
        Share of the star in the light of the aperture; NaN where nothing tells it.
    """

    table: AijTable
    measured: StampCurve
    place: tuple[float, float]
    crowding: float


def has_pixels(hdu: fits.BinTableHDU) -> bool:
    """Tell whether a table has a picture in each row."""
    return any(c.name.upper() == "FLUX" and "," in str(c.dim or "") for c in hdu.columns)


def read_pixels(hdus: fits.HDUList, hdu: fits.BinTableHDU, told: dict[str, str], name: str,
                spoilt: np.ndarray) -> PixelFile:  # fmt: skip
    """Measure a star on the pixels of a table, and lay its light curve out as a table.

    told: its cards. spoilt: (n,) bool, cadences of no use. Raises InputError where pixels are none.
    """
    names = {c.upper(): c for c in hdu.columns.names}
    pixels = hdu.data[names["FLUX"]]
    if pixels.ndim != 3 or not (LEAST <= min(pixels.shape[1:]) <= max(pixels.shape[1:]) <= MOST_SIDE
                                and len(pixels) <= MOST_ROWS):  # fmt: skip
        msg = f"pixels of {' x '.join(map(str, pixels.shape))} are no stack of small pictures"
        raise InputError(msg, file=name)
    noise = hdu.data[names["FLUX_ERR"]] if "FLUX_ERR" in names else None
    if noise is not None and (
        noise.shape != pixels.shape or not np.any(noise[len(noise) // 2] > 0)
    ):
        noise = None
    time = np.array(hdu.data[names["TIME"]], dtype=float)
    sky = hdu.data[names["FLUX_BKG"]] if "FLUX_BKG" in names else None
    sky_is_off = sky is not None and bool(np.nan_to_num(sky[len(sky) // 2]).any())
    mask = _aperture_of(hdus, pixels.shape[1:])
    place, doubt = _place_of(hdus, told, mask, pixels.shape[1:])
    stamp = Stamp(time, pixels, noise, ~spoilt & np.isfinite(time), place, sky_is_off, mask)
    measured = measure_stamps(stamp)
    columns = {"TIME": time, "SAP_FLUX": measured.flux, "SAP_FLUX_ERR": measured.error,
               "raw_flux": measured.raw, "background": measured.sky,
               "shift_x": measured.shift[:, 0], "shift_y": measured.shift[:, 1]}  # fmt: skip
    columns |= {n: np.array(hdu.data[names[n]]) for n in ("QUALITY", "CADENCENO") if n in names}
    notes = [_told_of(measured), *doubt]
    correction = np.array(hdu.data[names["TIMECORR"]]) if "TIMECORR" in names else None
    notes += _cut_out_times(columns, told, correction)
    crowding = _crowding(measured, mask, place, told)
    if np.isfinite(crowding):
        told["CROWDSAP"] = f"{crowding:.6f}"
    else:
        told.pop("CROWDSAP", None)
        text = "other stars' light in the aperture is not known: --dilution tells the star's share"
        notes.append(Note(text, Severity.WARNING))
    table = table_of_columns(name, columns, notes, told=told, units={})
    return PixelFile(table, measured, place, crowding)


def _aperture_of(hdus: fits.HDUList, shape: tuple[int, ...]) -> np.ndarray | None:
    """Find the pipeline's aperture, (ny, nx) bool; None where there is none but all pixels."""
    found = next((h for h in hdus if h.name == "APERTURE" and h.data is not None), None)
    if found is None or found.data.shape != shape:
        return None
    mask = (np.nan_to_num(found.data).astype(np.int64) & IN_APERTURE) != 0
    return mask if mask.any() and not mask.all() else None


def _place_of(
    hdus: fits.HDUList, told: Mapping[str, str], mask: np.ndarray | None, shape: tuple[int, ...]
) -> tuple[tuple[float, float], list[Note]]:
    """Find the star's place, x and y, by its coordinates.

    Else it is the middle of aperture or stamp; and a note that says so.
    """
    from astropy.wcs import NoConvergence

    where = parse_numbers([told.get("RA_OBJ", ""), told.get("DEC_OBJ", "")])
    found = next((h for h in hdus if h.name == "APERTURE" and "CRVAL1" in h.header), None)
    why = "its coordinates or the WCS are not told"
    if found is not None and where is not None and np.isfinite(where).all():
        try:
            x, y = wcs_of(found.header).all_world2pix([where], 0)[0].tolist()
        except (SolveError, NoConvergence, ValueError) as error:
            why = f"its coordinates have no place: {printable(str(error))[:150]}"
        else:
            if -0.5 <= x <= shape[1] - 0.5 and -0.5 <= y <= shape[0] - 0.5:
                return (x, y), []
            why = f"its coordinates lie outside the pixels, at {x:.1f}, {y:.1f}"
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    middle, of = ((shape[1] - 1) / 2, (shape[0] - 1) / 2), "pixels"
    if mask is not None:
        middle, of = (float(columns[mask].mean()), float(rows[mask].mean())), "pipeline's aperture"
    text = (
        f"the star is looked for in the middle of the {of}, {middle[0]:.1f}, {middle[1]:.1f}: {why}"
    )
    return middle, [Note(text)]


def _told_of(measured: StampCurve) -> Note:
    size, tried = int(measured.aperture.sum()), measured.scatter
    text = (
        f"summed over {size} pixels, of {len(tried)} apertures that of least scatter: "
        f"{1e6 * tried[size]:.0f} ppm of an hour's means; shifts of the stars, by up to "
        f"{np.nanpercentile(np.abs(measured.shift), 99):.2g} px, "
        + ("taken off" if measured.corrected else "left in, they do nothing to it")
    )
    return Note(text)


def _cut_out_times(
    columns: dict[str, np.ndarray], told: Mapping[str, str], correction: np.ndarray | None
) -> list[Note]:
    """Take times of a cut-out back to the spacecraft: they are for the middle of its CCD, or bare.

    The column is then of Julian dates, TDB, at the spacecraft.
    """
    if not told.get("CREATOR", "").lower().startswith("astrocut"):
        return []
    if correction is not None and not np.nan_to_num(correction).any():
        text = "times are for the middle of the CCD: off by up to half a minute for the star"
        return [Note(text, Severity.WARNING, subject="TIME")]
    zero = parse_numbers([told.get("BJDREFI", ""), told.get("BJDREFF", "")])
    if zero is None or not np.isfinite(zero[0]):
        return []
    time = columns.pop("TIME") + np.nansum(zero)
    columns["JD_TDB"] = time if correction is None else time - correction
    text = (
        "times of TICA are the spacecraft's, not barycentric"
        if correction is None
        else "times are for the middle of the CCD (TIMECORR): taken back to the spacecraft"
    )
    text += ", and from there, as from the Earth's centre, for the star: good to 1.3 s"
    return [Note(text, subject="JD_TDB")]


def _crowding(
    measured: StampCurve, mask: np.ndarray | None, place: tuple[float, float],
    told: Mapping[str, str],
) -> float:  # fmt: skip
    """Work out which share of the light in our aperture is the star's, from that in the pipeline's.

    CROWDSAP and FLFRCSAP tell the star's whole light, and how wide it is; of a round star that wide
    our aperture holds a share.
    """
    values = parse_numbers([told.get("CROWDSAP", ""), told.get("FLFRCSAP", "")])
    if mask is None or values is None or not (0 < values[0] <= 1):
        return float("nan")
    crowd, held = float(values[0]), float(values[1])
    if np.array_equal(mask, measured.aperture):
        return crowd
    if not 0 < held <= 1:
        return float("nan")
    shares = [gaussian_share(mask, place, float(width)) for width in WIDTHS]
    width = float(np.interp(-held, np.negative(shares), WIDTHS))
    light = np.nan_to_num(measured.image)
    own = crowd * light[mask].sum() / held * gaussian_share(measured.aperture, place, width)
    return float(np.clip(own / light[measured.aperture].sum(), 0.01, 1.0))
