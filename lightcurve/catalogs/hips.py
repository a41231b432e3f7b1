"""Cut-outs of surveys' images, on the frame's own pixels: the hips2fits service of the CDS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from lightcurve.catalogs.http_cache import connected, recall, remember
from lightcurve.catalogs.layout import Link, Server
from lightcurve.catalogs.read_votable import READING, clean
from lightcurve.core.errors import CatalogError
from lightcurve.core.library_warnings import quietly
from lightcurve.core.settings import CatalogSettings

__all__ = ["Cutout", "ask_cutout"]

TITLE = "hips2fits"
SERVERS = (
    Server("hips2fits", "https://alasky.cds.unistra.fr/hips-image-services/hips2fits"),
    Server("hips2fits_bis", "https://alaskybis.cds.unistra.fr/hips-image-services/hips2fits"),
)
EVERYWHERE = ("CDS/P/DSS2/red", "DSS2 red")
NORTH_OF_DEG = -30.0  # of Pan-STARRS
# The band of Pan-STARRS, or of 2MASS, that is nearest to one of `lightcurve.catalogs.bands`.
PANSTARRS = {
    **dict.fromkeys(("U", "B", "V", "up", "gp", "BP"), "g"),
    **dict.fromkeys(("Rc", "rp", "G"), "r"),
    **dict.fromkeys(("Ic", "ip", "RP"), "i"),
    "zp": "z",
    "zs": "z",
    "Y": "y",
}


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A piece of a survey's image.

    pixels : (ny, nx) float array, in the survey's own unit, NaN where it has none.
    """

    title: str  # of the survey
    pixels: np.ndarray


def surveys(band: str | None, dec_deg: float) -> list[tuple[str, str]]:
    """List the surveys to be asked for a band and a declination, identifier and title."""
    if band in {"J", "H", "K"}:
        return [(f"CDS/P/2MASS/{band}", f"2MASS {band}"), EVERYWHERE]
    letter = PANSTARRS.get(band or "", "r")
    deep = (f"CDS/P/PanSTARRS/DR1/{letter}", f"Pan-STARRS {letter}")
    return [deep, EVERYWHERE] if dec_deg > NORTH_OF_DEG else [EVERYWHERE]


def ask_cutout(
    cards: Mapping[str, str | float], band: str | None, settings: CatalogSettings
) -> Cutout | None:
    """Ask for the image of the first survey that has one; None where none has.

    Parameters
    ----------
    cards : mapping
        The WCS of the image wanted, with its ``NAXIS1`` and ``NAXIS2``: the survey is resampled
        onto these very pixels.
    band : str or None
        Of `lightcurve.catalogs.bands.RECIPES`; the nearest that a survey has is taken.

    Raises
    ------
    CatalogError
        When neither server answers, or none may be asked.
    """
    for hips, title in surveys(band, float(cards["CRVAL2"])):
        question = json.dumps({"hips": hips, "wcs": json.dumps(dict(cards)), "format": "fits"})
        pixels = _read(_answer(question, settings), cards)
        if np.isfinite(pixels).any() and np.ptp(pixels[np.isfinite(pixels)]) > 0:
            return Cutout(title, pixels)
    return None


def _answer(question: str, settings: CatalogSettings) -> bytes:
    """Answer from memory, else by the first server that does."""
    addresses = [settings.servers.get(one.name, one.address) for one in SERVERS]
    kept = next((k for k in (recall(one, question) for one in addresses) if k is not None), None)
    if kept is not None:
        return kept.body
    if settings.offline:
        raise CatalogError(TITLE, "offline, and not asked before")
    failed: CatalogError | None = None
    for address in addresses:
        try:
            body = _send(Link(address, settings.timeout_s / len(addresses), 1), question)
        except CatalogError as error:
            failed = failed or error
            continue
        remember(address, question, body)
        return body
    raise failed or CatalogError(TITLE, "has no address")


def _send(link: Link, question: str) -> bytes:
    with connected(TITLE, link) as http:
        reply = http.ask("GET", link.server, params=json.loads(question))
    if reply.status >= 400:
        raise CatalogError(TITLE, f"answered HTTP {reply.status}{_complaint(reply.body)}")
    return reply.body


def _complaint(body: bytes) -> str:
    """Find what the service says, in its JSON, of a question that it does not like."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    told = said.get("description") or said.get("title") if isinstance(said, dict) else None
    return f": {clean(told)}" if isinstance(told, str) else ""


def _read(body: bytes, cards: Mapping[str, str | float]) -> np.ndarray:
    from astropy.io import fits

    def pixels() -> np.ndarray:
        with fits.open(BytesIO(body), memmap=False) as hdus:
            return np.asarray(hdus[0].data, dtype=float)

    try:
        with READING:
            found, _ = quietly(pixels)
    except Exception as error:  # readers of FITS raise anything on a damaged one
        msg = f"answer is not a FITS image ({len(body)} bytes, {type(error).__name__})"
        raise CatalogError(TITLE, msg) from error
    if found.shape != (cards["NAXIS2"], cards["NAXIS1"]):
        raise CatalogError(TITLE, f"sent an image of {found.shape}: the service has changed")
    return found
