"""The NASA Exoplanet Archive's TAP service and ExoClock's list, on loopback."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from astropy.io.votable import from_table, writeto
from astropy.table import MaskedColumn, Table
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

TEXTS = {"pl_name", "pl_tranmid_systemref"}


def serve_archive(server: HTTPServer, rows: Sequence[Mapping[str, Any]]) -> None:
    """Answer each question with all of `server.rows`, and keep it in `server.asked`."""
    server.asked, server.rows = [], rows

    def answer(request: Request) -> Response:
        given = {k.upper(): v[0] for k, v in parse_qs(request.get_data(as_text=True)).items()}
        server.asked.append(given["QUERY"])
        names = given["QUERY"].lower().split("select ")[1].split(" from")[0].split(",")
        body = io.BytesIO()
        writeto(from_table(Table([_column(server.rows, name) for name in names])), body)
        return Response(body.getvalue(), content_type="application/x-votable+xml")

    server.expect_request("/TAP/sync").respond_with_handler(answer)


def _column(rows: Sequence[Mapping[str, Any]], name: str) -> MaskedColumn:
    values = [row.get(name) for row in rows]
    empty: object = "" if name in TEXTS else 0.0
    data = [empty if value is None else value for value in values]
    mask = [value is None for value in values]
    return MaskedColumn(data, name=name, mask=mask, dtype="U200" if name in TEXTS else float)


def in_the_archive(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write a planet of a planet file as a row of the archive."""
    theirs = {
        "pl_name": "name", "ra": "ra", "dec": "dec", "pl_orbper": "period_days",
        "pl_tranmid": "t0_bjd_tdb", "pl_ratror": "rp_over_rs", "pl_ratdor": "a_over_rs",
        "pl_orbincl": "inclination_deg", "st_teff": "teff_k", "st_logg": "logg",
        "pl_trandur": "duration_hours",
    }  # fmt: skip
    row = {name: values.get(ours) for name, ours in theirs.items()}
    return row | {"pl_tranmid_systemref": "BJD-TDB", "pl_ratdorerr1": 0.1, "pl_ratdorerr2": -0.3}


def in_exoclock(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write a planet of a planet file as an entry of ExoClock's list."""
    hours, degrees = values["ra"] / 15, abs(values["dec"])
    ra, dec = (f"{int(x)}:{int(x * 60 % 60):02d}:{x * 3600 % 60:.4f}" for x in (hours, degrees))
    return {
        "name": values["name"].replace(" ", ""),
        "ra_j2000": ra,
        "dec_j2000": f"{'-' if values['dec'] < 0 else '+'}{dec}",
        "ephem_mid_time": values["t0_bjd_tdb"], "ephem_mid_time_format": "BJD_TDB",
        "ephem_mid_time_e1": -0.0002, "ephem_mid_time_e2": 0.0002,
        "ephem_period": values["period_days"],
        "ephem_period_e1": -2e-7, "ephem_period_e2": 2e-7,
        "eccentricity": 0.0, "periastron": 90.0, "inclination": 88.5,
        "sma_over_rs": 7.5, "rp_over_rs": 0.12, "priority": "high",
    }  # fmt: skip
