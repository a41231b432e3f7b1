"""A server on loopback that answers as the services do, and misbehaves on demand.

It speaks enough TAP (sync and async), SkyBoT and Astro-COLIBRI for the real clients. Tables come
from the EY UMa extracts, the solar-system answer and the errors are recorded ones.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from astropy.io import fits, votable
from astropy.io.votable.tree import Info
from astropy.table import Table
from astropy.wcs import WCS

from lightcurve.catalogs.services import SILENT
from services_tables import ey_uma_tables

HIPS = ("hips2fits", "hips2fits_bis")
MIRRORS = ("vizier_cds", "vizier_cfa", "vizier_nao")


def to_votable(table: Table, *, overflow: bool = False, style: str = "binary2") -> bytes:
    """Write a table as services do: in text by hand, or in binary by astropy."""
    if style == "tabledata" or not all(name.isidentifier() for name in table.colnames):
        return _in_text(table, overflow=overflow)
    whole = votable.from_table(table)
    resource = whole.resources[0]
    resource.type = "results"
    resource.infos.append(Info(name="QUERY_STATUS", value="OK"))
    if overflow:
        resource.infos.append(Info(name="QUERY_STATUS", value="OVERFLOW"))
    out = io.BytesIO()
    whole.to_xml(out, tabledata_format="binary2")
    return out.getvalue()


def _in_text(table: Table, *, overflow: bool) -> bytes:
    kinds = {"f": 'datatype="double"', "i": 'datatype="long"', "u": 'datatype="long"'}
    fields, columns = [], []
    for name in table.colnames:
        column = table[name]
        kind = kinds.get(column.dtype.kind, 'datatype="char" arraysize="*"')
        unit = f' unit="{column.unit}"' if column.unit else ""
        fields.append(f"<FIELD name={quoteattr(name)} {kind}{unit}/>")
        gone = np.broadcast_to(getattr(column, "mask", False), len(table))
        cells = (("", escape(str(v)))[not m] for v, m in zip(column, gone, strict=True))
        columns.append([f"<TD>{cell}</TD>" for cell in cells])
    rows = "".join(f"<TR>{''.join(row)}</TR>\n" for row in zip(*columns, strict=True))
    more = '<INFO name="QUERY_STATUS" value="OVERFLOW"/>' if overflow else ""
    return (
        '<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f'<RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/><TABLE>{"".join(fields)}'
        f"<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE>{more}</RESOURCE></VOTABLE>"
    ).encode()


def error_votable(text: str) -> bytes:
    return (
        '<?xml version="1.0"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f'<RESOURCE type="results"><INFO name="QUERY_STATUS" value="ERROR">{text}</INFO>'
        "</RESOURCE></VOTABLE>"
    ).encode()


def in_cone(table: Table, adql: str) -> Table:
    """Rows in the cone of the question; those without one are all wanted."""
    asked = re.search(
        r"POINT\('ICRS', ([^,]+), ([^)]+)\), CIRCLE\('ICRS', ([-\d.]+), ([-\d.]+), ([\d.]+)\)", adql
    )
    if asked is None:
        return table
    ra_name, dec_name = (asked[i].strip().strip('"').split(".")[-1] for i in (1, 2))
    ra0, dec0, radius = (np.radians(float(asked[i])) for i in (3, 4, 5))
    ra, dec = np.radians(np.array(table[ra_name])), np.radians(np.array(table[dec_name]))
    cos = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra - ra0)
    return table[cos >= np.cos(radius)]


def asu_answer(tables: dict[str, Table], query: str) -> bytes:
    """Answer a question of VizieR's own protocol; without any row there is no table."""
    asked = parse_qs(query)
    table = tables.get(asked.get("-source", [""])[0])
    if table is None:
        return _no_table('<INFO name="Error" value="catalogue not found"/>')
    ra, dec = (float(part) for part in asked["-c"][0].split())
    names = [name for name in asked["-out"] if name in table.colnames]
    place = [n for n in names if n.upper().startswith(("RA", "DE"))][:2]
    point = f"POINT('ICRS', {place[0]}, {place[1]})"
    rows = in_cone(table, f"{point}, CIRCLE('ICRS', {ra}, {dec}, {asked['-c.rd'][0]})")
    for name in asked.get("-sort", []):
        rows = rows[np.argsort(np.ma.filled(np.ma.asarray(rows[name]).astype(float), np.nan))]
    rows = rows[: int(asked["-out.max"][0])]
    return to_votable(rows[names], style="tabledata") if len(rows) else _no_table("")


def hips_answer(stars: Table, asked: dict[str, str], gone: str) -> tuple[int, bytes, str]:
    """Answer as hips2fits: the stars drawn onto the WCS asked for; NaN in surveys named so."""
    try:
        cards = json.loads(asked["wcs"])
        size = int(cards["NAXIS2"]), int(cards["NAXIS1"])
        wcs = WCS(fits.Header(cards))
    except (KeyError, ValueError) as error:
        told = {"title": "Bad parameter", "description": f"{error} is wrong"}
        return 400, json.dumps(told).encode(), "application/json"
    x, y = wcs.wcs_world2pix(np.asarray(stars["RAJ2000"]), np.asarray(stars["DEJ2000"]), 0)
    light = np.nan_to_num(10 ** (-0.4 * (np.asarray(stars["rmag"], dtype=float) - 20)))
    rows, columns = np.indices(size)
    pixels = np.zeros(size, dtype=np.float32)
    for k in np.flatnonzero(np.hypot(x - size[1] / 2, y - size[0] / 2) < sum(size)):
        pixels += light[k] * np.exp(-((columns - x[k]) ** 2 + (rows - y[k]) ** 2) / 4)
    if gone in asked["hips"]:
        pixels[:] = np.nan
    out = io.BytesIO()
    fits.PrimaryHDU(pixels, wcs.to_header()).writeto(out)
    return 200, out.getvalue(), "image/fits"


def _no_table(info: str) -> bytes:
    return (
        '<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f"<RESOURCE>{info}</RESOURCE></VOTABLE>"
    ).encode()


class _RefusedError(Exception):
    pass


def answer(tables: dict[str, Table], adql: str) -> Table:
    """Answer ``SELECT TOP n columns FROM table WHERE cone``."""
    asked = re.match(r"SELECT TOP (\d+) (.*?) FROM (\"[^\"]+\"|\S+)", adql)
    if asked is None:
        raise _RefusedError("Parse error")
    table = tables.get(asked[3].strip('"'))
    if table is None:
        raise _RefusedError(f"Unknown table {asked[3]}")
    rows = in_cone(table, adql)
    order = re.search(r'ORDER BY "?([^"\s]+)"?$', adql)
    if order is not None and order[1] in rows.colnames:
        values = np.ma.filled(np.ma.asarray(rows[order[1]]).astype(float), np.nan)
        rows = rows[np.argsort(values, kind="stable")]
    rows = rows[: int(asked[1])]
    if asked[2] == "*":
        return rows
    names = [c.strip().split(" AS ")[-1].strip().strip('"') for c in asked[2].split(", ")]
    names = [n.split(".")[-1] for n in names]
    unknown = [n for n in names if n not in rows.colnames]
    if unknown:
        raise _RefusedError(f"Unknown column {unknown[0]}")
    return rows[names]


class ServicesServer:
    """Serve until `close`; `trouble` maps a service's key to how it misbehaves.

    Troubles: ``timeout``, ``trickle``, ``flood``, ``500``, ``503``, ``cut``, ``truncated``,
    ``nothing``, ``html``, ``recorded error``, ``empty``, ``renamed``, ``entities``, ``points out``,
    ``job fails``, ``job waits``, ``refused``, ``moved``, ``loop``, ``401``, ``wrong key``,
    ``no events``, ``no Pan-STARRS``, ``no survey``.
    """

    def __init__(self, shared: Path) -> None:
        self.tables = ey_uma_tables(shared)
        recorded = shared / "services" / "astroquery"
        self.skybot = (recorded / "imcce" / "skybot_query.vot").read_bytes()
        self.recorded_error = (recorded / "vizier" / "no_server_error.xml").read_bytes()
        self.events: list[dict[str, object]] = []
        self.trouble: dict[str, str] = {}
        self.asked: list[tuple[str, str]] = []
        self.questions: list[dict[str, str]] = []  # to hips2fits
        self.jobs: dict[str, str] = {}
        self.released = threading.Event()
        handler = type("Handler", (_Handler,), {"home": self})
        self.server = _Server(("127.0.0.1", 0), handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def servers(self) -> dict[str, str]:
        """What belongs into the settings ``catalogs.servers``."""
        names = ("vizier", *MIRRORS, "gaia", "simbad", "skybot", "colibri", *HIPS)
        return {k: f"{self.url}/{k}" for k in names}

    def trouble_of(self, key: str) -> str:
        """Tell how a service misbehaves; mirrors do as VizieR does where nothing else is said."""
        return self.trouble.get(key, self.trouble.get("vizier", "") if key in MIRRORS else "")

    def calm(self) -> None:
        """Forget troubles, events, what was asked, and who did not answer."""
        SILENT.clear()
        self.trouble.clear()
        self.events.clear()
        self.asked.clear()
        self.questions.clear()

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up: those under test do."""


class _Handler(BaseHTTPRequestHandler):
    home: ServicesServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve("")

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

    def do_DELETE(self) -> None:
        self._send(200, b"")

    def _serve(self, body: str) -> None:
        key, _, rest = urlsplit(self.path).path.strip("/").partition("/")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if rest.startswith("async/") and "results" not in rest:
                self._job(rest)
            elif rest == "async":
                self._new_job(body)
            else:
                self._misbehave(key, *self._right_answer(key, rest, body))

    def _right_answer(self, key: str, rest: str, body: str) -> tuple[int, bytes, str]:
        self.home.asked.append((key, body or self.path))
        if key == "skybot":
            return 200, self.home.skybot, "text/xml"
        if key == "colibri":
            return 200, json.dumps({"voevents": self.home.events}).encode(), "application/json"
        if key in HIPS:
            asked = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            self.home.questions.append(asked)
            gone = {"no Pan-STARRS": "PanSTARRS", "no survey": "CDS"}
            return hips_answer(
                self.home.tables["II/349/ps1"], asked, gone.get(self.home.trouble_of(key), "-")
            )
        if key in MIRRORS:
            tables = self.home.tables
            if self.home.trouble_of(key) == "empty":
                tables = {name: table[:0] for name, table in tables.items()}
            if self.home.trouble_of(key) == "renamed":
                return 200, to_votable(Table({"new": [1.0]}), style="tabledata"), "text/xml"
            return 200, asu_answer(tables, urlsplit(self.path).query), "text/xml"
        return self._of_tap(key, rest, body)

    def _of_tap(self, key: str, rest: str, body: str) -> tuple[int, bytes, str]:
        adql = self.home.jobs[rest.split("/")[1]] if "results" in rest else _adql(body)
        try:
            table = answer(self.home.tables, adql)
        except _RefusedError as refusal:
            return 400, error_votable(str(refusal)), "text/xml"
        if self.home.trouble.get(key) == "empty":
            table = table[:0]
        if self.home.trouble.get(key) == "renamed":
            table = Table({f"new_{n}": table[n] for n in table.colnames})
        style = "tabledata" if key == "simbad" else "binary2"
        return 200, to_votable(table, style=style), "application/x-votable+xml"

    def _misbehave(self, key: str, status: int, body: bytes, kind: str) -> None:
        trouble = self.home.trouble_of(key)
        replaced = {
            "nothing": b"",
            "wrong key": b'{"error": "unknown uid"}',
            "no events": b'{"voevents": null}',
            "truncated": body[: int(0.6 * len(body))],
            "html": b"<html><body>Please log in</body></html>",
            "recorded error": self.home.recorded_error,
            "entities": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb">]><VOTABLE/>',
            "points out": body.replace(b"<STREAM ", b'<STREAM href="file:///etc/passwd" ', 1),
            "refused": error_votable("Parse error \x1b[31m&lt;script&gt;".replace("\x1b", "")),
        }
        if trouble == "moved":
            self._send(307, b"", Location=f"{self.home.url}/simbad/elsewhere")
        elif trouble == "loop":
            self._send(303, b"", Location=f"{self.home.url}{self.path}")
        elif trouble in {"401", "500", "503"}:
            self._send(int(trouble), b"oops", **{"Retry-After": "86400"})
        elif trouble == "timeout":
            self.home.released.wait(30)
        elif trouble in {"flood", "trickle", "cut"}:
            self._spill(trouble, body)
        else:
            self._send(status, replaced.get(trouble, body), **{"Content-Type": kind})

    def _spill(self, trouble: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(10**9 if trouble == "flood" else len(body)))
        self.end_headers()
        if trouble == "cut":
            self.wfile.write(body[: len(body) // 2])
        while trouble == "flood":
            self.wfile.write(b" " * 1_000_000)
        while trouble == "trickle" and not self.home.released.is_set():
            self.wfile.write(b" ")
            time.sleep(0.02)
        self.close_connection = True

    def _new_job(self, body: str) -> None:
        number = str(len(self.home.jobs) + 1)
        self.home.jobs[number] = _adql(body)
        self._send(303, b"", Location=f"{self.home.url}/gaia/async/{number}")

    def _job(self, rest: str) -> None:
        here = f"{self.home.url}/gaia/{'/'.join(rest.split('/')[:2])}"
        if rest.endswith("/phase"):
            self._send(303, b"", Location=here)
            return
        number = rest.split("/")[1]
        phases = {"job fails": "ERROR", "job waits": "QUEUED"}
        phase = phases.get(self.home.trouble.get("gaia", ""), "COMPLETED")
        text = (
            '<?xml version="1.0"?><uws:job version="1.1" '
            'xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0" '
            'xmlns:xlink="http://www.w3.org/1999/xlink">'
            f"<uws:jobId>{number}</uws:jobId><uws:phase>{phase}</uws:phase>"
            "<uws:executionDuration>0</uws:executionDuration><uws:parameters/><uws:results>"
            f'<uws:result id="result" xlink:href="{here}/results/result"/>'
            "</uws:results></uws:job>"
        )
        self._send(200, text.encode(), **{"Content-Type": "text/xml"})

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _adql(body: str) -> str:
    return parse_qs(body).get("QUERY", [""])[0]
