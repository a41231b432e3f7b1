"""Solvers outside this process: what they are told, and how far their answers are believed."""

from __future__ import annotations

import os
import re
import subprocess
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from lightcurve.astrometry.header_wcs import known_stars
from lightcurve.astrometry.local import MIN_STARS, WIDENINGS
from lightcurve.astrometry.overlay import MIN_MATCHED
from lightcurve.astrometry.refine import stars_on_frame
from lightcurve.astrometry.request import SolveRequest
from lightcurve.astrometry.wcs import describe_wcs
from lightcurve.astrometry.wcs_cards import wcs_of
from lightcurve.core.errors import SolveError, Why
from lightcurve.core.settings import SolveSettings
from lightcurve.core.table_text import joined, printable

N_STARS = 200
TAN = ({"RA---TAN", "DEC--TAN"}, {"RA---TAN-SIP", "DEC--TAN-SIP"})
# Anything else in the header (tables to look up, other axes) is no part of such a WCS.
_CARDS = re.compile(
    r"(CTYPE|CRVAL|CRPIX|CUNIT)[12]|CD[12]_[12]|(A|B|AP|BP)_(ORDER|\d_\d)|"
    r"LONPOLE|LATPOLE|EQUINOX|RADESYS"
)
# Reads a pipe that nobody writes to: it closes when this process ends, however that happens, and
# with it the program's group.
_SUPERVISED = (
    "/bin/sh",
    "-c",
    'exec 3<&0 </dev/null; { read -r _ <&3; kill -s KILL 0; } & exec 3<&- "$@"',
    "sh",
)
_NOT_RUN = {126, 127}  # what the shell says of a program that it cannot start
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, IndexError, MemoryError, fits.VerifyError)


def star_places(request: SolveRequest) -> np.ndarray:
    """List the brightest stars' places (n, 2), counted as FITS does: the first pixel is (1, 1).

    Raises SolveError when there are too few for any pattern.
    """
    stars = request.stars
    if len(stars) < MIN_STARS:
        msg = f"{len(stars)} stars, {MIN_STARS} are needed (clouds, or out of focus?)"
        raise SolveError(msg, n_detected=len(stars), why=Why.TOO_FEW_STARS)
    return np.column_stack([stars.x, stars.y])[:N_STARS].astype(float) + 1


def scale_bounds(request: SolveRequest, settings: SolveSettings) -> tuple[float, float] | None:
    """Bound the scale, arcsec per pixel, as wide as the local solver's last try: one question."""
    if request.scale_arcsec is None:
        return None
    widening = WIDENINGS[0] if request.scale_is_known else WIDENINGS[-1]
    factor = (1 + settings.scale_tolerance) ** widening
    return round(request.scale_arcsec / factor, 6), round(request.scale_arcsec * factor, 6)


def cone(request: SolveRequest, settings: SolveSettings) -> tuple[float, float, float] | None:
    """Bound the place on the sky: RA, Dec, radius, degrees; None when not known or not wanted."""
    if request.ra_deg is None or request.dec_deg is None or settings.blind:
        return None
    return round(request.ra_deg % 360, 6) % 360, round(request.dec_deg, 6), settings.radius_deg


def read_result(body: bytes, request: SolveRequest) -> WCS:
    """Read a WCS (a FITS header) as Astrometry.net writes it, and see that it is one of this frame.

    Raises SolveError when it is none, degenerate, of another size, or far from the scale known.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            header = fits.Header.fromstring(body)
            wcs = _tangent(header)
        size = int(header.get("IMAGEW", 0)), int(header.get("IMAGEH", 0))
    except (*_UNREADABLE, Warning, SolveError) as error:
        msg = f"its WCS cannot be read: {printable(joined(str(error)))[:150]}"
        raise SolveError(msg, why=Why.NOT_UNDERSTOOD) from error
    ny, nx = request.shape
    if size not in {(0, 0), (nx, ny)}:
        msg = f"its WCS is of a frame of {size[0]} x {size[1]} pixels, this one has {nx} x {ny}"
        raise SolveError(msg, why=Why.NOT_UNDERSTOOD)
    scale, _, _ = describe_wcs(wcs, request.shape)
    known = request.scale_arcsec
    if not np.isfinite(scale) or (known and not 1 / 2 < scale / known < 2):
        msg = f"its WCS has {scale:.3g} arcsec/px, the frame {known or float('nan'):.3g}"
        raise SolveError(msg, why=Why.NOT_UNDERSTOOD)
    return wcs


def _tangent(header: fits.Header) -> WCS:
    if {header.get("CTYPE1"), header.get("CTYPE2")} not in TAN:
        msg = f"neither TAN nor TAN-SIP: {str(header.get('CTYPE1'))[:20]!r}"
        raise ValueError(msg)
    return wcs_of(fits.Header([card for card in header.cards if _CARDS.fullmatch(card.keyword)]))


def stars_to_check(
    wcs: WCS, matched: bytes | None, request: SolveRequest, settings: SolveSettings
) -> tuple[np.ndarray, str]:
    """Find stars (n, 2), RA and Dec: from here, or else those that the solver says it matched.

    Returns the stars and a remark: that they are the solver's own (a weaker check), or that its
    list was needed and cannot be read; else empty.
    """
    sky = known_stars(wcs, request, settings)
    here, _ = stars_on_frame(wcs, request.shape, sky)
    if len(here) >= MIN_MATCHED or matched is None:
        return sky, ""
    try:
        return _read_matches(matched), ", checked with the stars that it matched"
    except SolveError as error:
        return sky, f", {error}"


def _read_matches(body: bytes) -> np.ndarray:
    """Read RA and Dec of the catalogue stars in a table of correspondences."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with fits.open(BytesIO(body)) as hdus:
                table = hdus[1].data
                sky = np.column_stack([table["index_ra"], table["index_dec"]]).astype(float)
    except (*_UNREADABLE, Warning) as error:
        msg = f"its list of matched stars cannot be read: {printable(joined(str(error)))[:150]}"
        raise SolveError(msg, why=Why.NOT_UNDERSTOOD) from error
    good = np.isfinite(sky).all(axis=1) & (np.abs(sky[:, 1]) <= 90)
    return sky[good]


def run_program(command: list[str], folder: Path, timeout_s: float) -> str:
    """Run a program and all it starts within `folder`; return the last line it says.

    Raises SolveError when it cannot be run, fails, or takes longer than `timeout_s`.
    """
    with (folder / "said.txt").open("w+b") as said:
        try:
            # A group of its own: what it starts must end with it.
            process = subprocess.Popen(  # noqa: S603  (the program is the user's own)
                [*_SUPERVISED, *command] if hasattr(os, "killpg") else command,
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
            )
        except OSError as error:
            msg = f"{command[0]} cannot be run: {error.strerror}"
            raise SolveError(msg) from error
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            msg = f"time is up ({timeout_s:g} s, timeout_s): give --scale or a position"
            raise SolveError(msg, why=Why.TIMED_OUT) from None
        finally:
            if not hasattr(os, "killpg"):
                process.kill()
            # That pipe closed, the group ends, with whatever the program may have left behind.
            process.communicate()
        said.seek(max(said.tell() - 4000, 0))
        lines = said.read().decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    if process.returncode in _NOT_RUN:
        msg = f"{command[0]} cannot be run: {last[:200]}"
        raise SolveError(msg)
    if process.returncode != 0:
        msg = f"it failed with status {process.returncode}: {last[:200]}"
        raise SolveError(msg)
    return last[:200]
