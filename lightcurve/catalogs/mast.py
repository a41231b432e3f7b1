"""MAST, the archive of TESS, Kepler and K2: light curves, pixels and cut-outs of a star's place.

Asked by its own interface: what there is (CAOM, by place), which files that is, and each file.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from lightcurve.catalogs.http_cache import connected
from lightcurve.catalogs.layout import Link, Server
from lightcurve.core.errors import CatalogError, InputError
from lightcurve.core.files import write_whole
from lightcurve.core.settings import CatalogSettings

__all__ = ["MastWish", "fetch_files", "mast_wish"]

Row = dict[str, Any]
TITLE = "MAST"
SERVER = Server("mast", "https://mast.stsci.edu")
RADIUS_DEG = 0.003  # half a pixel of TESS
# Whose light curves are taken of a sector, best first
AUTHORS = ("SPOC", "Kepler", "K2", "TESS-SPOC", "QLP", "TGLC", "K2SFF")
SIDE = 15  # pixels of a cut-out
DOWNLOAD_S = 600.0
MAX_UNPACKED = 2e9  # bytes
SAFE = re.compile(r"[\w.+-]{1,120}\.fits(\.gz)?")


class MastProduct(StrEnum):
    """What is fetched of a star."""

    CURVES = "curves"
    PIXELS = "pixels"
    CUTOUTS = "cutouts"


ENDINGS = {
    MastProduct.CURVES: ("_lc.fits", "_llc.fits"),
    MastProduct.PIXELS: ("_tp.fits", "_lpd-targ.fits.gz"),
}


@dataclass(frozen=True, slots=True)
class MastWish:
    """What is wanted of a star.

    Attributes
    ----------
    author : str
        Whose, such as SPOC or QLP; empty for the best of `AUTHORS` that a sector has.
    sectors : tuple of int
        Of TESS, quarters of Kepler, campaigns of K2; empty for all.
    """

    product: MastProduct = MastProduct.CURVES
    author: str = ""
    sectors: tuple[int, ...] = ()


def mast_wish(product: str, author: str, sectors: Iterable[int]) -> MastWish:
    """Say what is wanted in the words of options; raises InputError for no such product."""
    if product not in set(MastProduct):
        msg = f"--product {product}: one of {', '.join(MastProduct)}"
        raise InputError(msg)
    return MastWish(MastProduct(product), author, tuple(sectors))


def fetch_files(
    ra_deg: float, dec_deg: float, wish: MastWish, settings: CatalogSettings, folder: Path
) -> list[Path]:
    """Fetch a star's files, those that are in the folder already not again.

    Parameters
    ----------
    ra_deg, dec_deg : float
    folder : Path
        For the files; made if need be. Without network those in it serve.

    Raises
    ------
    CatalogError
        When the archive cannot or may not be asked, or has none.
    """
    if settings.offline:
        there = sorted(folder.glob("*.fits*"))
        if there:
            return there
        raise CatalogError(TITLE, f"may not be asked, and {folder} has no file of the star")
    if wish.product is MastProduct.CUTOUTS:
        return _cutouts(ra_deg, dec_deg, wish, settings, folder)
    found = _files_of(_observations(ra_deg, dec_deg, wish, settings), wish, settings)
    return [_fetch(uri, name, settings, folder) for name, uri in found.items()]


def _address(settings: CatalogSettings) -> str:
    return str(settings.servers.get(SERVER.name, SERVER.address)).rstrip("/")


def _get(path: str, query: Mapping[str, str], settings: CatalogSettings, timeout_s: float) -> bytes:
    """Ask for a file or an answer; raises CatalogError where there is none."""
    address = f"{_address(settings)}/{path}"
    with connected(TITLE, Link(address, timeout_s, 1)) as http:
        reply = http.ask("GET", address, params=dict(query))
    if reply.status >= 400:
        raise CatalogError(TITLE, f"answered HTTP {reply.status}")
    return reply.body


def _ask(service: str, params: Mapping[str, Any], settings: CatalogSettings) -> list[Row]:
    """Ask the archive's tables: the rows."""
    question = {"service": service, "params": params, "format": "json", "pagesize": 2000, "page": 1}
    body = _get(
        "api/v0/invoke", {"request": json.dumps(question, sort_keys=True)}, settings,
        settings.timeout_s,
    )  # fmt: skip
    try:
        answer = json.loads(body)
        rows = answer["data"]
        if answer.get("status") != "COMPLETE" or not all(isinstance(row, dict) for row in rows):
            raise TypeError(str(answer.get("msg", answer.get("status")))[:80])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        msg = f"sent no table that is whole ({str(error)[:80]}): ask again"
        raise CatalogError(TITLE, msg) from error
    return list(rows)


def _observations(
    ra_deg: float, dec_deg: float, wish: MastWish, settings: CatalogSettings
) -> list[Row]:
    """List the observations of a place, each sector's of one author alone."""
    authors = (wish.author,) if wish.author else AUTHORS
    filters = {"dataproduct_type": ["timeseries"], "provenance_name": list(authors)}
    rows = _ask(
        "Mast.Caom.Filtered.Position",
        {
            "columns": "obsid,obs_id,provenance_name,obs_collection,sequence_number",
            "filters": [{"paramName": k, "values": v} for k, v in filters.items()],
            "position": f"{ra_deg:.6f}, {dec_deg:.6f}, {RADIUS_DEG}",
        },
        settings,
    )
    order = {author.lower(): k for k, author in enumerate(authors)}
    best: dict[tuple[str, str], Row] = {}
    for row in rows:
        author, number = (str(row.get(k, "")) for k in ("provenance_name", "sequence_number"))
        if author.lower() not in order or (wish.sectors and number not in map(str, wish.sectors)):
            continue
        mission = "TESS" if author not in {"Kepler", "K2", "K2SFF"} else author[:2]
        known = best.get((mission, number))
        if known is None or order[author.lower()] < order[str(known["provenance_name"]).lower()]:
            best[mission, number] = row
    if not best:
        whose = wish.author or "any of " + ", ".join(AUTHORS)
        where = f" in {', '.join(map(str, wish.sectors))}" if wish.sectors else ""
        msg = f"has no {wish.product} of {ra_deg:.5f} {dec_deg:+.5f} by {whose}{where}"
        raise CatalogError(TITLE, f"{msg}: --product cutouts are of any place that TESS saw")
    return list(best.values())


def _files_of(
    observations: Iterable[Mapping[str, Any]], wish: MastWish, settings: CatalogSettings
) -> dict[str, str]:
    """Find the files of observations: names to their addresses in the archive."""
    numbers = ",".join(str(row.get("obsid", "")) for row in observations)
    rows = _ask("Mast.Caom.Products", {"obsid": numbers}, settings)
    names = ((str(r.get("productFilename", "")), str(r.get("dataURI", ""))) for r in rows)
    found = {
        name: uri for name, uri in sorted(names)
        if name.endswith(ENDINGS[wish.product]) and SAFE.fullmatch(name) and "fast" not in name
    }  # fmt: skip
    if not found:
        raise CatalogError(TITLE, f"has observations of the star, and no {wish.product} of them")
    return found


def _fetch(uri: str, name: str, settings: CatalogSettings, folder: Path) -> Path:
    path = folder / name
    if not path.is_file():
        body = _get("api/v0.1/Download/file", {"uri": uri}, settings, DOWNLOAD_S)
        _written(path, body)
    return path


def _written(path: Path, body: bytes) -> Path:
    return write_whole(path, lambda file: file.write(body), parents=True)


def _cutouts(
    ra_deg: float, dec_deg: float, wish: MastWish, settings: CatalogSettings, folder: Path
) -> list[Path]:
    """Have full frames of TESS cut out about a place, a file a sector."""
    paths: list[Path] = []
    for sector in wish.sectors or (None,):
        query = {"ra": f"{ra_deg:.6f}", "dec": f"{dec_deg:.6f}", "x": str(SIDE), "y": str(SIDE)}
        query |= {} if sector is None else {"sector": str(sector)}
        body = _get("tesscut/api/v0.1/astrocut", query, settings, DOWNLOAD_S)
        paths += _unpacked(body, folder)
    return paths


def _unpacked(body: bytes, folder: Path) -> Sequence[Path]:
    """Write the FITS files of an archive, by their own names without a path."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            named = [(Path(info.filename).name, info) for info in packed.infolist()]
            known = [(name, info) for name, info in named if SAFE.fullmatch(name)]
            if sum(info.file_size for _, info in known) > MAX_UNPACKED:
                raise CatalogError(TITLE, f"sent what unpacks to over {MAX_UNPACKED / 1e9:.0f} GB")
            files = [(name, packed.read(info)) for name, info in known]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, RuntimeError) as error:
        said = body[:200].decode("utf-8", "replace")
        msg = f"sent no cut-outs: {''.join(c for c in said if c.isprintable())[:120]}"
        raise CatalogError(TITLE, msg) from error
    if not files:
        raise CatalogError(TITLE, "sent no cut-outs: TESS has not seen the place")
    return [_written(folder / name, content) for name, content in files]
