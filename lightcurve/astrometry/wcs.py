"""WCS: fitted to stars, described, composed with a registration, written to sidecars and copies."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.data import Registration, Solution
from lightcurve.core.errors import FrameError, InputError, SolveError, Why
from lightcurve.core.files import write_whole
from lightcurve.core.library_warnings import quietly
from lightcurve.core.table_text import joined
from lightcurve.frames.cards import number, parse_cards
from lightcurve.frames.pixels import plain_file
from lightcurve.frames.read import read_cards
from lightcurve.frames.sections import read_layout

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

__all__ = [
    "describe_wcs",
    "middle_deg",
    "move_wcs",
    "tangent_wcs",
    "to_icrs",
    "wcs_from_registration",
    "wcs_header",
    "wcs_into_copy",
    "write_wcs_sidecar",
]

GRID = 12
HIGHEST_ORDER = 5
CONVERTED_PX = 0.001  # what another projection may be off as TAN with SIP terms
_PLACE = ("LTM1_1", "LTM2_2", "LTV1", "LTV2")
# Two axes, as the WCS has, or its readers warn; of no pixels, for there are none in the file.
_NO_PIXELS = (
    ("SIMPLE", True, "conforms to FITS standard"),
    ("BITPIX", 8, "no pixels: see IMAGEW, IMAGEH"),
    ("NAXIS", 2, "axes of the WCS"),
    ("NAXIS1", 0),
    ("NAXIS2", 0),
)
# Of the old header's dates and axes the frame's own stay.
_KEPT = {"WCSAXES", "MJDREF", "DATE-OBS", "MJD-OBS"}
_OLD_WCS = re.compile(
    r"(CTYPE|CRVAL|CRPIX|CUNIT|CDELT|CROTA)[12][A-Z]?|(CD|PC)[12]_[12][A-Z]?|P[VC]\d_\d+|"
    r"(A|B|AP|BP)_(ORDER|DMAX|\d_\d)|LONPOLE|LATPOLE|RADECSYS|RADESYS|EQUINOX|WCSAXES"
)


def tangent_wcs(crval: np.ndarray, crpix: np.ndarray, cd: np.ndarray, *, sip: bool = False) -> WCS:
    """Make a gnomonic WCS.

    crval: (2,) float array, RA and Dec, degrees; crpix: (2,) float array, pixels counted from 0;
    cd: (2, 2) float array, degrees per pixel; sip: name the projection as one that SIP terms go
    with.
    """
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    suffix = "-SIP" if sip else ""
    wcs.wcs.ctype = [f"RA---TAN{suffix}", f"DEC--TAN{suffix}"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.radesys = "ICRS"
    wcs.wcs.crval = crval
    wcs.wcs.crpix = np.asarray(crpix) + 1
    wcs.wcs.cd = cd
    wcs.wcs.set()
    return wcs


def fit_wcs(
    xy: np.ndarray, sky: np.ndarray, crval: np.ndarray, crpix: np.ndarray, *, order: int = 1
) -> WCS:
    """Fit a WCS to stars at `xy`, pixels from 0, and `sky`, degrees, by linear least squares.

    With (u, v) the pixel from `crpix` and (xi, eta) the star projected on the plane tangent at
    `crval`, ``xi = CD11 (u + f) + CD12 (v + g)`` and so for eta, where f and g are SIP's
    polynomials (order 2 to 5; 1 for a plain TAN), is a polynomial of the same order in u and v:
    linear in its coefficients. What is constant in it moves `crval`, a rough place; three rounds
    bring that under 1e-9 of a pixel.
    """
    uv = xy - np.asarray(crpix)
    # Scaled to about one, so that high powers do not ruin the matrix.
    size = float(np.abs(uv).max()) or 1.0
    powers = [(total - q, q) for total in range(order + 1) for q in range(total + 1)]
    basis = np.stack([(uv[:, 0] / size) ** p * (uv[:, 1] / size) ** q for p, q in powers], axis=1)
    crval = np.array(crval, dtype=float)
    for _ in range(4):
        plane = tangent_wcs(crval, np.zeros(2), np.eye(2))
        standard = np.column_stack(plane.wcs_world2pix(sky[:, 0], sky[:, 1], 0))
        terms = np.linalg.lstsq(basis, standard, rcond=None)[0]
        crval = np.array(plane.wcs_pix2world(*terms[0], 0), dtype=float)
    weights = np.array([size ** (p + q) for p, q in powers])
    terms = terms / weights[:, None]
    cd = terms[1:3].T
    wcs = tangent_wcs(crval, crpix, cd, sip=order > 1)
    if order > 1:
        wcs.sip = _sip(powers, np.linalg.solve(cd, terms.T), uv, order, wcs.wcs.crpix)
    return wcs


def _sip(
    powers: list[tuple[int, int]], terms: np.ndarray, uv: np.ndarray, order: int, crpix: np.ndarray
) -> object:
    """Write the terms above the first order as SIP, with an inverse fitted on a grid."""
    from astropy.wcs import Sip

    a, b = np.zeros((2, order + 1, order + 1))
    for (p, q), x, y in zip(powers, *terms, strict=True):
        if p + q > 1:
            a[p, q], b[p, q] = x, y
    low, high = uv.min(axis=0), uv.max(axis=0)
    u, v = (
        part.ravel()
        for part in np.meshgrid(*(np.linspace(*ends, GRID) for ends in zip(low, high, strict=True)))
    )
    du, dv = (sum(c[p, q] * u**p * v**q for p, q in powers) for c in (a, b))
    # The inverse of a polynomial is not one: one order more keeps it good to a few 1e-3 px.
    back = [(p, q) for p in range(order + 2) for q in range(order + 2 - p)]
    size = max(float(np.abs(uv).max()), 1.0)
    basis = np.stack([((u + du) / size) ** p * ((v + dv) / size) ** q for p, q in back], axis=1)
    found = np.linalg.lstsq(basis, np.column_stack([-du, -dv]), rcond=None)[0]
    ap, bp = np.zeros((2, order + 2, order + 2))
    for (p, q), (x, y) in zip(back, found, strict=True):
        ap[p, q], bp[p, q] = x / size ** (p + q), y / size ** (p + q)
    return Sip(a, b, ap, bp, crpix)


def describe_wcs(wcs: WCS, shape: tuple[int, int]) -> tuple[float, float, int]:
    """Tell scale, rotation and parity at the middle of a frame (ny, nx).

    Returns
    -------
    scale_arcsec : float
        Per pixel: the square root of a pixel's area.
    rotation_deg : float
        Position angle of the +y axis, from north through east.
    parity : int
        +1 as the sky is seen (east left when north is up), -1 mirrored.
    """
    ny, nx = shape
    x, y = (nx - 1) / 2, (ny - 1) / 2
    ra, dec = (np.asarray(v) for v in wcs.all_pix2world([x, x + 1, x], [y, y, y + 1], 0))
    east = ((ra - ra[0] + 180) % 360 - 180) * np.cos(np.radians(dec[0]))
    north = dec - dec[0]
    determinant = east[1] * north[2] - east[2] * north[1]
    scale = 3600 * float(np.sqrt(abs(determinant)))
    rotation = float(np.degrees(np.arctan2(east[2], north[2])))
    return scale, rotation, 1 if determinant < 0 else -1


def middle_deg(wcs: WCS, shape: tuple[int, int]) -> tuple[float, float]:
    """Tell where on the sky, RA and Dec in degrees, the middle of a frame (ny, nx) is."""
    ny, nx = shape
    ra, dec = wcs.all_pix2world((nx - 1) / 2, (ny - 1) / 2, 0)
    return float(ra), float(dec)


def wcs_from_registration(reference_wcs: WCS, registration: Registration) -> WCS:
    """Give a registered frame its own WCS: the reference's, reached through the transform."""
    return move_wcs(reference_wcs, registration.matrix)


def move_wcs(wcs: WCS, matrix: np.ndarray, shape: tuple[int, int] | None = None) -> WCS:
    """Carry a WCS, TAN or TAN-SIP, over to pixels ``p = M p0 + t``; `matrix` is (2, 3), M and t.

    With p0 = M^-1 (p - t) the reference pixel moves to ``M crpix + t`` and the CD matrix becomes
    ``CD M^-1``. A polynomial of some order in p0 is one of the same order in p, so that SIP
    terms carry over as well; they are found by a fit on a grid, which is exact but for rounding.
    The shape (ny, nx) is given where the WCS does not know.
    """
    linear, shift = matrix[:, :2], matrix[:, 2]
    # CRPIX counts from 1, the transform from 0.
    crpix = linear @ (wcs.wcs.crpix - 1) + shift
    crval = np.array(wcs.wcs.crval)
    if wcs.sip is None:
        return tangent_wcs(crval, crpix, wcs.pixel_scale_matrix @ np.linalg.inv(linear))
    grid = _grid_of(wcs, shape)
    sky = np.column_stack(wcs.all_pix2world(*grid.T, 0))
    order = max(wcs.sip.a_order, wcs.sip.b_order)
    return fit_wcs(grid @ linear.T + shift, sky, crval, crpix, order=order)


def _grid_of(wcs: WCS, shape: tuple[int, int] | None) -> np.ndarray:
    """Pixels all over a frame, or over twice the reference pixel where its size is not known."""
    nx, ny = shape[::-1] if shape else wcs.pixel_shape or 2 * (wcs.wcs.crpix - 1)
    return grid_over((ny, nx))


def grid_over(shape: tuple[float, float]) -> np.ndarray:
    """Lay a grid (225, 2) of pixels over a frame (ny, nx), its middle in the middle of the list."""
    ny, nx = shape
    x, y = np.meshgrid(np.linspace(0, max(nx, 100), 15), np.linspace(0, max(ny, 100), 15))
    return np.column_stack([x.ravel(), y.ravel()])


def to_icrs(wcs: WCS, shape: tuple[int, int]) -> tuple[WCS, str]:
    """Turn a celestial WCS of another equinox or system into one of ICRS; say from what.

    It is found by a fit on a grid: a tangential projection is one in any system, turned, and others
    are one with SIP terms. FK5 of J2000 is ICRS to 0.03 arcsec. Raises SolveError when it is of an
    unknown system, or no such fit is good to `CONVERTED_PX`.
    """
    of_2000 = bool(np.isnan(wcs.wcs.equinox)) or wcs.wcs.equinox == 2000.0
    modern = wcs.wcs.radesys == "ICRS" or (wcs.wcs.radesys in {"", "FK5"} and of_2000)
    if modern and _is_tangent(wcs, shape):
        return wcs, ""
    name = f"{wcs.wcs.ctype[0]} {wcs.wcs.radesys} {wcs.wcs.equinox:g}".replace(" nan", "").strip()
    system = _system_of(wcs)
    if system is None:
        msg = f"the header's WCS is not converted to RA and Dec of 2000: {name}"
        raise SolveError(msg, why=Why.ABSURD_WCS)
    from astropy.coordinates import SkyCoord

    grid = _grid_of(wcs, shape)
    sky = wcs.all_pix2world(grid, 0)
    if not np.isfinite(sky).all() or not np.ptp(sky, axis=0).all():
        msg = f"the header's WCS has no place on the sky for all of the frame: {name}"
        raise SolveError(msg, why=Why.ABSURD_WCS)
    sky = SkyCoord(sky[:, wcs.wcs.lng], sky[:, wcs.wcs.lat], unit="deg", frame=system).icrs
    places = np.column_stack([sky.ra.deg, sky.dec.deg])
    fitted, off = as_tangent(grid, places, sip_order(wcs))
    if not off < CONVERTED_PX:
        msg = f"the header's WCS is no TAN with SIP terms: {name}, {off:.2g} px off"
        raise SolveError(msg, why=Why.ABSURD_WCS)
    return fitted, f"converted from {name}"


def as_tangent(xy: np.ndarray, sky: np.ndarray, order: int) -> tuple[WCS, float]:
    """Fit TAN to a grid over a frame, with SIP terms from an order up as far as it takes them.

    xy, sky: (n, 2), pixels and degrees, the middle of the frame in the middle. Returns the WCS, and
    how far it is off, pixels.
    """
    half = len(xy) // 2
    for terms in range(order, max(order, HIGHEST_ORDER) + 1):
        wcs = fit_wcs(xy, sky, sky[half], xy[half], order=terms)
        d_ra, d_dec = (np.column_stack(wcs.all_pix2world(*xy.T, 0)) - sky).T
        d_ra = ((d_ra + 180) % 360 - 180) * np.cos(np.radians(sky[:, 1]))
        scale = np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix)))
        off = float(np.hypot(d_ra, d_dec).max() / scale)
        if off < CONVERTED_PX:
            break
    return wcs, off


def _is_tangent(wcs: WCS, shape: tuple[int, int]) -> bool:
    """Tell whether a WCS is TAN or TAN-SIP and nothing more, by what it does.

    For of TPV, say, no trace is left in what astropy shows.
    """
    if list(wcs.wcs.ctype) not in (["RA---TAN", "DEC--TAN"], ["RA---TAN-SIP", "DEC--TAN-SIP"]):
        return False
    plain = tangent_wcs(wcs.wcs.crval, np.zeros(2), wcs.pixel_scale_matrix)
    grid = _grid_of(wcs, shape)
    sky = np.array(wcs.wcs_pix2world(grid, 0))
    there = plain.wcs_world2pix(sky, 0) + wcs.wcs.crpix - 1
    return bool(np.abs(there - grid).max() < CONVERTED_PX)


def sip_order(wcs: WCS) -> int:
    """Order of the distortion; 1 without."""
    return 1 if wcs.sip is None else max(wcs.sip.a_order, wcs.sip.b_order)


def _system_of(wcs: WCS) -> Any:
    from astropy.coordinates import FK4, FK5, ICRS, Galactic
    from astropy.wcs.utils import wcs_to_celestial_frame

    if wcs.wcs.lngtyp == "GLON":
        return Galactic()
    try:
        system = wcs_to_celestial_frame(wcs) if wcs.wcs.lngtyp == "RA" else None
    except ValueError:
        # A RADESYS that astropy does not know.
        return None
    return system if isinstance(system, FK4 | FK5 | ICRS) else None


def wcs_header(solution: Solution, shape: tuple[int, int]) -> Header:
    """Write a solution as header cards: the WCS, IMAGEW, IMAGEH, and who solved it how well."""
    header = solution.wcs.to_header(relax=True)
    # astropy leaves out PCi_j that are 0 or 1; other readers want all four, as CD.
    for name in list(header):
        if name.startswith("PC") or name in {"CDELT1", "CDELT2"}:
            del header[name]
    for (i, j), value in np.ndenumerate(solution.wcs.pixel_scale_matrix):
        header[f"CD{i + 1}_{j + 1}"] = float(value)
    header["IMAGEW"] = (shape[1], "image width, pixels")
    header["IMAGEH"] = (shape[0], "image height, pixels")
    header["WCSSOLV"] = (solution.solver, "who solved it")
    header["WCSNSTAR"] = (solution.n_matched, "stars that agree with it")
    if np.isfinite(solution.rms_arcsec):
        header["WCSRMS"] = (round(solution.rms_arcsec, 4), "arcsec, rms of those stars")
    if solution.residuals_arcsec is not None:
        ra, dec = solution.residuals_arcsec
        header["RADISP"] = (round(ra, 4), "arcsec, rms in right ascension")
        header["DEDISP"] = (round(dec, 4), "arcsec, rms in declination")
    return header


def write_wcs_sidecar(path: Path, solution: Solution, shape: tuple[int, int]) -> Path:
    """Write a solution as a FITS file that is only a header, in place of what is there.

    Raises
    ------
    InputError
        When it cannot be written.
    """
    from astropy.io.fits import Header

    header = Header(_NO_PIXELS)
    header.extend(wcs_header(solution, shape))
    content = header.tostring().encode("ascii")
    return write_whole(path, lambda file: file.write(content), parents=True)


def wcs_into_copy(frame_path: Path, out_path: Path, solution: Solution) -> Path:
    """Copy a frame with its WCS in the header of its image.

    That is the primary where it has an image, else the first extension that has one. A
    tile-compressed image stays compressed, its tiles untouched; a file packed as a whole (.gz,
    .bz2) is written plain.

    Parameters
    ----------
    frame_path : Path
        Never changed.
    out_path : Path
        Another file; replaced if it is there.

    Raises
    ------
    InputError
        When both paths are the same file, or the copy cannot be written.
    FrameError
        When the frame cannot be read, or holds no image a WCS can be written for.
    """
    if out_path.exists() and out_path.samefile(frame_path):
        msg = f"{out_path}: would replace the frame itself; name another file"
        raise InputError(msg)
    try:
        content, _ = quietly(lambda: _with_wcs(frame_path, solution))
    except FrameError:
        raise
    except Exception as error:  # writers of FITS raise anything on a damaged one
        what = f"{type(error).__name__}: {joined(error)[:200]}"
        raise FrameError(frame_path, f"cannot be copied with its WCS: {what}") from error
    return write_whole(out_path, lambda file: file.write(content), parents=True)


def _with_wcs(frame_path: Path, solution: Solution) -> memoryview:
    """Make the copy in memory: what fails here is the frame's fault, not the disk's."""
    from astropy.io import fits

    copy = BytesIO()
    file = plain_file(frame_path)
    with fits.open(file, do_not_scale_image_data=True, disable_image_compression=True) as hdus:
        header, axes = _image_of(hdus, frame_path)
        shape = axes[1], axes[0]
        own = _in_raw_pixels(solution, header, hdus[0].header, shape, frame_path)
        _replace_wcs(header, wcs_header(own, shape))
        try:
            hdus.writeto(copy, output_verify="silentfix")
        except fits.VerifyError as error:
            raise ValueError(error) from error
    return copy.getbuffer()


def _in_raw_pixels(
    solution: Solution, header: Header, primary: Header, shape: tuple[int, int], path: Path
) -> Solution:
    """Bring a solution of a frame as it is read, trimmed, to the pixels (ny, nx) of its file."""
    cards, as_read, _ = read_cards(path)
    if as_read == shape:
        return solution
    layout = read_layout(parse_cards(header.tostring()), shape)
    layout = layout or read_layout(parse_cards(primary.tostring()), shape)
    if layout is not None and layout.data.shape == as_read:
        factor, shift = np.ones(2), np.array([layout.data.x.start, layout.data.y.start])
    else:  # put together of several images, of which the first gets it
        place = [number(cards[name].text) if name in cards else None for name in _PLACE]
        if None in place:
            return solution
        told = np.array(place, dtype=float)
        factor = told[:2]
        shift = (1 - told[2:]) / factor - 1
    moved = np.column_stack([np.diag(1 / factor), shift])
    return replace(solution, wcs=move_wcs(solution.wcs, moved, as_read))


def _image_of(hdus: Any, path: Path) -> tuple[Header, tuple[int, ...]]:
    """Find the header of the image and its axes, the fastest first."""
    for hdu in hdus:
        header = hdu.header
        prefix = "ZNAXIS" if header.get("ZIMAGE") is True else "NAXIS"
        if prefix == "NAXIS" and not hdu.is_image:
            continue
        axes = tuple(header[f"{prefix}{k + 1}"] for k in range(header.get(prefix, 0)))
        if len(axes) < 2 or not all(axes):
            continue
        if len(axes) == 3 and axes[0] in {3, 4} and min(axes[1:]) > 4:
            raise FrameError(path, "has its colours on the first axis, where a WCS has RA")
        return header, axes
    raise FrameError(path, "holds no image to write a WCS for")


def _replace_wcs(header: Header, cards: Header) -> None:
    """Take all traces of another WCS out of a header and put the new cards in."""
    for name in dict.fromkeys(header):
        if _OLD_WCS.fullmatch(name):
            del header[name]
    header.extend((card for card in cards.cards if card.keyword not in _KEPT), update=True)
