"""Questions in ADQL, through pyvo, to any server that speaks TAP."""

from __future__ import annotations

import time
from contextlib import closing, suppress

from lightcurve.catalogs.servers import POLL_S, connected
from lightcurve.catalogs.service import Field, Link
from lightcurve.errors import CatalogError, WebError

# The whole of a small catalogue is never cut.
MIN_ROWS = 2000


def cone(field: Field, ra: str, dec: str) -> str:
    """Write the condition that a position lies in the field.

    ra, dec: names of the columns, quoted if need be.
    ADQL.
    """
    centre = f"{field.ra_deg:.6f}, {field.dec_deg:.6f}"
    return (
        f"1=CONTAINS(POINT('ICRS', {ra}, {dec}), CIRCLE('ICRS', {centre}, {field.radius_deg:.6f}))"
    )


def ask(link: Link, adql: str) -> bytes:
    """Ask and wait for the answer on the same connection.

    A VOTable, which may be the server's report of an error.
    Raises CatalogError when the server cannot be reached, is too slow or answers with an HTTP
    error.
    """
    from pyvo.dal import TAPService

    with connected(link.server, link) as http:
        service = TAPService(link.server, session=http)
        query = service.create_query(adql, maxrec=max(link.max_rows, MIN_ROWS))
        with closing(query.execute_stream()) as stream:
            body = stream.read()
        # The report of a wrong question comes with status 400 and says more than the number.
        if b"QUERY_STATUS" not in body:
            query.raise_if_error()
        return body


def ask_later(link: Link, adql: str) -> bytes:
    """Ask, then come back for the answer until it is there: for servers that cut short ones.

    A VOTable.
    Raises CatalogError as `ask`, and when the job is not done within the time-out or fails.
    """
    from pyvo.dal import TAPService
    from pyvo.dal.exceptions import DALAccessError

    with connected(link.server, link) as http:
        job = TAPService(link.server, session=http).submit_job(adql, maxrec=link.max_rows)
        try:
            job.run()
            while job.phase in {"PENDING", "QUEUED", "EXECUTING", "UNKNOWN"}:
                if time.monotonic() > http.end:
                    msg = f"job not done within {link.timeout_s:g} s"
                    raise CatalogError(link.server, msg)
                time.sleep(min(POLL_S, link.timeout_s / 20))
            if job.phase != "COMPLETED":
                raise CatalogError(link.server, f"job ended as {job.phase}")
            response = http.get(job.result_uri)
            response.raise_for_status()
            return response.content
        finally:
            # The answer is here, or an error is on its way; the server deletes old jobs itself.
            with suppress(DALAccessError, WebError):
                job.delete()
