"""A star's name to its coordinates: CDS Sesame, asked once and remembered."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lightcurve.catalogs.cache import cache_dir
from lightcurve.errors import CatalogError

SERVICE = "Sesame"
SERVER = "https://cds.unistra.fr/cgi-bin/nph-sesame"
TIMEOUT_S = 20.0
ADVICE = "give --ra and --dec, or --planet"


def resolve_name(name: str, *, offline: bool = False) -> tuple[float, float, str]:
    """Find where a named object is.

    Parameters
    ----------
    name : str
        As SIMBAD, NED or VizieR know it.
    offline : bool
        Only what is remembered may serve.

    Returns
    -------
    ra_deg, dec_deg : float
        ICRS.
    source : str
        ``"Sesame"``, or that it was remembered.

    Raises
    ------
    CatalogError
        When the name is unknown, or the service cannot or may not be asked.
    """
    remembered = cache_dir() / "names.json"
    known = _read(remembered)
    if name in known:
        ra, dec = known[name]
        return float(ra), float(dec), f"{SERVICE}, remembered for {name}"
    if offline:
        msg = f"does not remember {name!r} and may not be asked: {ADVICE}"
        raise CatalogError(SERVICE, msg)
    ra, dec = _ask(name)
    _write(remembered, {**known, name: [ra, dec]})
    return ra, dec, f"{SERVICE} for {name}"


def _ask(name: str) -> tuple[float, float]:
    # Not through astropy: it reports an unknown name and a dead service as the same error.
    import requests

    try:
        answer = requests.get(f"{SERVER}/A", params=quote(name), timeout=TIMEOUT_S)
        answer.raise_for_status()
    except requests.RequestException as error:
        msg = f"cannot be asked for {name!r} ({type(error).__name__}): {ADVICE}"
        raise CatalogError(SERVICE, msg) from error
    found = re.search(r"^%J\s+([\d.]+)\s+([+-][\d.]+)", answer.text, re.MULTILINE)
    if found is None:
        msg = f"does not know {name!r}: check the spelling, or {ADVICE}"
        raise CatalogError(SERVICE, msg)
    return float(found[1]), float(found[2])


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read ({type(error).__name__}): delete it"
        raise CatalogError(SERVICE, msg) from error


def _write(path: Path, known: dict[str, Any]) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
    temporary.replace(path)
