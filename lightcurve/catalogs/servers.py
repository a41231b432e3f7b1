"""The servers of catalogues and services, and their errors as one line for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lightcurve.catalogs.service import Link
from lightcurve.errors import CatalogError, WebError

if TYPE_CHECKING:
    from lightcurve.http import Session

SERVERS = {
    "vizier": "https://tapvizier.cds.unistra.fr/TAPVizieR/tap",
    "gaia": "https://gea.esac.esa.int/tap-server/tap",
    "simbad": "https://simbad.cds.unistra.fr/simbad/sim-tap",
    "skybot": "https://ssp.imcce.fr/webservices/skybot/api/conesearch.php",
    "colibri": "https://astro-colibri.science/cone_search",
    "exoplanet-archive": "https://exoplanetarchive.ipac.caltech.edu/TAP",
}
MAX_BYTES = 100_000_000
POLL_S = 1.0


@contextmanager
def connected(service: str, link: Link) -> Iterator[Session]:
    """Open a session within a link's limits, for its owner or for a client of someone else's.

    service: named in errors.
    Raises CatalogError in place of what the session, requests or pyvo raise.
    """
    import requests
    from pyvo.dal.exceptions import DALAccessError

    from lightcurve.http import Session

    try:
        with Session(timeout_s=link.timeout_s, limit=MAX_BYTES) as opened:
            yield opened
    except WebError as error:
        raise CatalogError(service, str(error)) from error
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else "error"
        raise CatalogError(service, f"answered HTTP {status}") from error
    except DALAccessError as error:
        if getattr(error, "code", None):
            raise CatalogError(service, f"answered HTTP {error.code}") from error
        raise CatalogError(service, f"refused the question: {_first_line(error)}") from error


def body_of(service: str, link: Link, params: str | dict[str, str]) -> bytes:
    """Ask a server by GET; where it has no answer, a `CatalogError`."""
    with connected(service, link) as http:
        reply = http.ask("GET", link.server, params=params)
    if reply.status >= 400:
        raise CatalogError(service, f"answered HTTP {reply.status}")
    return reply.body


def _first_line(error: Exception) -> str:
    from lightcurve.catalogs.hostile import clean

    return clean(str(error).strip().partition("\n")[0])[:200]
