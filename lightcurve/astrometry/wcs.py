"""What a WCS says of a frame, how it follows from another frame's, and how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.astrometry.fit import fit_wcs, tangent_wcs
from lightcurve.data import Registration, Solution
from lightcurve.errors import SolveError
from lightcurve.files import write_whole

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

# Two axes, as the WCS has, or its readers warn; of no pixels, for there are none in the file.
_NO_PIXELS = (
    ("SIMPLE", True, "conforms to FITS standard"),
    ("BITPIX", 8, "no pixels: see IMAGEW, IMAGEH"),
    ("NAXIS", 2, "axes of the WCS"),
    ("NAXIS1", 0),
    ("NAXIS2", 0),
)


def describe_wcs(wcs: WCS, shape: tuple[int, int]) -> tuple[float, float, int]:
    """Tell scale, rotation and parity at the middle of a frame.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
    shape : tuple of int
        (ny, nx).

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
    """Tell where on the sky the middle of a frame is.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
    shape : tuple of int
        (ny, nx).

    Returns
    -------
    ra, dec : float
        Degrees.
    """
    ny, nx = shape
    ra, dec = wcs.all_pix2world((nx - 1) / 2, (ny - 1) / 2, 0)
    return float(ra), float(dec)


def wcs_from_registration(reference_wcs: WCS, registration: Registration) -> WCS:
    """Give a registered frame its own WCS: the reference's, reached through the transform.

    Parameters
    ----------
    reference_wcs : astropy.wcs.WCS
        TAN or TAN-SIP.
    registration : Registration
    """
    return move_wcs(reference_wcs, registration.matrix)


def move_wcs(wcs: WCS, matrix: np.ndarray, shape: tuple[int, int] | None = None) -> WCS:
    """Carry a WCS over to pixels ``p = M p0 + t``.

    With p0 = M^-1 (p - t) the reference pixel moves to ``M crpix + t`` and the CD matrix becomes
    ``CD M^-1``. A polynomial of some order in p0 is one of the same order in p, so that SIP
    terms carry over as well; they are found by a fit on a grid, which is exact but for rounding.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        TAN or TAN-SIP, of the pixels p0.
    matrix : (2, 3) float array
        M and t.
    shape : tuple of int, optional
        (ny, nx), where the WCS does not know.
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
    x, y = np.meshgrid(np.linspace(0, max(nx, 100), 15), np.linspace(0, max(ny, 100), 15))
    return np.column_stack([x.ravel(), y.ravel()])


def to_icrs(wcs: WCS, shape: tuple[int, int]) -> tuple[WCS, str]:
    """Turn a celestial WCS of another equinox or system into one of RA and Dec, ICRS.

    A tangential projection is one in any system, turned: it is found by a fit on a grid.

    shape: (ny, nx).
    Returns wcs: as it is where it is of ICRS already, or of FK5 of J2000, which is that to 0.03
    arcsec; remark: says what it was converted from; empty where it was not.
    Raises SolveError when it would have to be converted and is no TAN or TAN-SIP, or of an unknown
    system.
    """
    of_2000 = bool(np.isnan(wcs.wcs.equinox)) or wcs.wcs.equinox == 2000.0
    modern = wcs.wcs.radesys == "ICRS" or (wcs.wcs.radesys in {"", "FK5"} and of_2000)
    if wcs.wcs.lngtyp == "RA" and wcs.wcs.lng == 0 and modern:
        return wcs, ""
    name = f"{wcs.wcs.ctype[0]} {wcs.wcs.radesys} {wcs.wcs.equinox:g}".replace(" nan", "").strip()
    tangential = all(kind[5:8] == "TAN" for kind in wcs.wcs.ctype)
    system = _system_of(wcs) if tangential else None
    if system is None:
        msg = f"the header's WCS is not converted to RA and Dec of 2000: {name}"
        raise SolveError(msg)
    from astropy.coordinates import SkyCoord

    grid = _grid_of(wcs, shape)
    sky = wcs.all_pix2world(grid, 0)
    sky = SkyCoord(sky[:, wcs.wcs.lng], sky[:, wcs.wcs.lat], unit="deg", frame=system).icrs
    order = 1 if wcs.sip is None else max(wcs.sip.a_order, wcs.sip.b_order)
    places = np.column_stack([sky.ra.deg, sky.dec.deg])
    middle = places[len(places) // 2]
    fitted = fit_wcs(grid, places, middle, wcs.wcs.crpix - 1, order=order)
    return fitted, f"converted from {name}"


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
    """Write a solution as header cards.

    Parameters
    ----------
    solution : Solution
    shape : tuple of int
        (ny, nx).

    Returns
    -------
    astropy.io.fits.Header
        Besides the WCS: IMAGEW, IMAGEH, and who solved it how well.
    """
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
    """Write a solution as a FITS file that is only a header.

    Parameters
    ----------
    path : Path
        Usually the frame's name with ``.wcs``; replaced if it is there.
    solution : Solution
    shape : tuple of int
        (ny, nx).

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
