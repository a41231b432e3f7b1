"""A server on this machine that speaks as nova.astrometry.net does, and really solves.

Its answers have the shapes, and the oddities, of recorded ones: the word "None" for no time, a
null in place of a job that is to come, ``job_calibrations`` that stay empty. Behind it is the
Astrometry.net engine, which is given the star list or the image that was sent. `Nova.trouble`
makes it misbehave.
"""

from __future__ import annotations

import io
import json
import re
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from time import sleep
from typing import Any
from urllib.parse import parse_qs

import astrometry
import numpy as np
import sep
from astropy.io import fits
from astropy.wcs import WCS

STARTED, FINISHED = "2026-09-08 00:37:58.522033+00:00", "2026-09-08 00:37:59.946128+00:00"
# One engine cannot solve twice at the same time: it crashes.
ONE_AT_A_TIME = Lock()
# The tests send the same stars with the same hints again and again.
SOLVED: dict[tuple[bytes, str], astrometry.Match | None] = {}


@dataclass
class Received:
    """One request: what a test may look at afterwards."""

    method: str
    path: str
    fields: dict[str, Any]
    file_name: str = ""
    content: bytes = b""


@dataclass
class Job:
    """One frame to be solved, and what came of it."""

    received: Received
    polls: int = 0
    status: str = "solving"
    wcs: bytes = b""
    corr: bytes = b""
    calibration: dict[str, float] | None = None


@dataclass
class Trouble:
    """What the server does wrong, where, and how often."""

    path: str
    reply: tuple[int, dict[str, str], bytes] | Callable[[BaseHTTPRequestHandler], None]
    times: int


@dataclass
class Nova:
    """The server: its address, what it was sent, and how it is to behave.

    `queued` and `pending` are the numbers of times that a submission is asked for before it is
    looked at, and before there is a job; `solving` the same of a job. `guarded` shows whoever does
    not name the login page as its referer a web page in place of a result, as the real server has
    done since 2025; astroquery does not know that yet.
    """

    index: list[Path]
    key: str = "right-key-5d1f0c"
    queued: int = 1
    pending: int = 1
    solving: int = 1
    received: list[Received] = field(default_factory=list)
    sessions: set[str] = field(default_factory=set)
    jobs: dict[int, Job] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    dead: bool = False
    guarded: bool = False
    error_message: str = ""

    def __post_init__(self) -> None:
        self.engine = engine_of(tuple(self.index))
        handler = type("BoundHandler", (Handler,), {"nova": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()

    def trouble(self, path: str, reply: Any, *, times: int = 1_000_000, **headers: str) -> None:
        """Answer requests whose path matches with a status, JSON, bytes, or by a function."""
        if isinstance(reply, int):
            reply = (reply, headers, b"<html>trouble</html>")
        elif isinstance(reply, (dict, list)):
            reply = (200, headers, json.dumps(reply).encode())
        elif isinstance(reply, bytes):
            reply = (200, headers, reply)
        self.troubles.append(Trouble(path, reply, times))

    def asked(self, path: str) -> list[Received]:
        """List the requests whose path matches."""
        return [one for one in self.received if re.search(path, one.path)]

    def login(self, received: Received) -> dict:
        if received.fields.get("apikey") != self.key:
            return {"status": "error", "errormessage": "bad apikey"}
        session = secrets.token_hex(16)
        self.sessions.add(session)
        return {"status": "success", "message": "authenticated user: ", "session": session}

    def upload(self, received: Received) -> dict:
        session = received.fields.get("session")
        if session not in self.sessions:
            return {"status": "error", "errormessage": f'no session with key "{session}"'}
        number = 16030035 + len(self.jobs)
        job = self.jobs[number] = Job(received)
        Thread(target=solve, args=(self.engine, job), daemon=True).start()
        return {"status": "success", "subid": number, "hash": secrets.token_hex(20)}

    def submission(self, number: int) -> dict:
        job = self.jobs[number]
        job.polls += 1
        answer = {
            "user": 0,
            "processing_started": "None",
            "processing_finished": "None",
            "user_images": [],
            "images": [],
            "jobs": [],
            "job_calibrations": [],
        }
        if job.polls <= self.queued:
            return answer
        answer |= {"processing_started": STARTED, "processing_finished": FINISHED}
        if self.dead:
            return answer | ({"error_message": self.error_message} if self.error_message else {})
        answer |= {"user_images": [number + 1], "images": [number + 2], "jobs": [None]}
        if job.polls <= self.queued + self.pending:
            return answer
        return answer | {"jobs": [number + 800_000]}

    def job(self, number: int) -> Job | None:
        return self.jobs.get(number - 800_000)

    def job_status(self, job: Job) -> str:
        job.polls += 1
        return job.status if job.polls > self.queued + self.pending + self.solving else "solving"

    def info(self, job: Job) -> dict:
        answer = {
            "objects_in_field": [],
            "machine_tags": [],
            "tags": [],
            "status": self.job_status(job),
            "original_filename": job.received.file_name,
        }
        return answer | ({"calibration": job.calibration} if job.calibration else {})


class Handler(BaseHTTPRequestHandler):
    """The addresses that the real server has."""

    nova: Nova
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # in two pieces an answer takes 40 ms more

    def do_POST(self) -> None:
        received = read_request(self)
        self.nova.received.append(received)
        if self.misbehave():
            return
        if received.path == "/api/login":
            self.answer(self.nova.login(received))
        elif received.path in {"/api/upload", "/api/url_upload"}:
            self.answer(self.nova.upload(received))
        else:
            self.send(404, b"<html>Page not found</html>")

    def do_GET(self) -> None:
        self.nova.received.append(Received("GET", self.path, {}))
        if self.misbehave():
            return
        found = re.fullmatch(r"/(.+?)/(\d+)(/info)?/?", self.path)
        kind, number = (found[1], int(found[2])) if found else ("", 0)
        job = self.nova.job(number)
        if kind == "api/submissions" and number in self.nova.jobs:
            self.answer(self.nova.submission(number))
        elif kind == "api/jobs" and job is not None:
            status = {"status": self.nova.job_status(job)}
            self.answer(self.nova.info(job) if found[3] else status)
        elif kind in {"wcs_file", "corr_file"} and job is not None and job.wcs:
            body = job.wcs if kind == "wcs_file" else job.corr
            robot = self.headers.get("Referer") != f"{self.nova.url}/api/login"
            self.send(200, b"<html>Human?</html>" if self.nova.guarded and robot else body)
        else:
            self.send(404, b"<html>Page not found</html>")

    def misbehave(self) -> bool:
        for trouble in self.nova.troubles:
            if trouble.times > 0 and re.search(trouble.path, self.path):
                trouble.times -= 1
                if callable(trouble.reply):
                    trouble.reply(self)
                else:
                    status, headers, body = trouble.reply
                    self.send(status, body, **headers)
                return True
        return False

    def answer(self, values: dict) -> None:
        # The real server calls its JSON plain text.
        self.send(200, json.dumps(values).encode(), Content_Type="text/plain")

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def drop(handler: BaseHTTPRequestHandler) -> None:
    """Break the connection off in the middle of an answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"status":')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def trickle(handler: BaseHTTPRequestHandler) -> None:
    """Answer byte by byte for ten seconds, never silent for long."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    with suppress(OSError):
        for _ in range(200):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            sleep(0.05)
    handler.close_connection = True


def read_request(handler: BaseHTTPRequestHandler) -> Received:
    """Read a form: the options are JSON in one field, which must come before any file."""
    body = handler.rfile.read(int(handler.headers["Content-Length"]))
    kind = handler.headers["Content-Type"]
    if not kind.startswith("multipart/form-data"):
        fields = json.loads(parse_qs(body.decode())["request-json"][0])
        return Received("POST", handler.path, fields)
    boundary = kind.split("boundary=")[1].strip('"').encode()
    parts = [part.removeprefix(b"\r\n") for part in body.split(b"--" + boundary)[1:-1]]
    (first, options), (second, content) = (part.split(b"\r\n\r\n", 1) for part in parts)
    assert b'name="request-json"' in first
    assert b'name="file"' in second
    name = re.search(rb'filename="([^"]*)"', second)[1].decode()
    content = content.removesuffix(b"\r\n")
    return Received("POST", handler.path, json.loads(options), name, content)


def solve(engine: astrometry.Solver, job: Job) -> None:
    """Solve what was sent as well as the engine can, within the hints."""
    fields = {key: job.received.fields[key] for key in job.received.fields if key != "session"}
    sent = job.received.content, json.dumps(fields, sort_keys=True)
    try:
        stars, size = read_stars(job.received)
        if sent not in SOLVED:
            SOLVED[sent] = run_engine(engine, stars, fields, size)
        match = SOLVED[sent]
    except (ValueError, OSError, AssertionError, KeyError, UserWarning):
        match = None
    if match is None:
        job.status = "failure"
        return
    job.corr = write_matches(match, stars)
    job.calibration = calibration(match, size)
    job.wcs = write_header(match, size)
    job.status = "success"


def calibration(match: astrometry.Match, size: tuple[int, int]) -> dict[str, float]:
    """Sum a solution up: parity 1 is a positive determinant, the angle that of up from north."""
    (a, b), (c, d) = match.astropy_wcs().pixel_scale_matrix
    parity = 1.0 if a * d - b * c >= 0 else -1.0
    return {
        "ra": match.center_ra_deg,
        "dec": match.center_dec_deg,
        "radius": 0.5 * float(np.hypot(*size)) * match.scale_arcsec_per_pixel / 3600,
        "pixscale": match.scale_arcsec_per_pixel,
        "orientation": -float(np.degrees(np.arctan2(parity * c - b, parity * a + d))),
        "parity": parity,
    }


def read_stars(received: Received) -> tuple[np.ndarray, tuple[int, int]]:
    """Take the stars, counted from 1, from JSON, text, a FITS table, or an image."""
    fields = received.fields
    size = int(fields.get("image_width", 0)), int(fields.get("image_height", 0))
    if "x" in fields:
        return np.column_stack([fields["x"], fields["y"]]), size
    if not received.content.startswith(b"SIMPLE"):
        return np.loadtxt(io.BytesIO(received.content), ndmin=2)[:, :2], size
    with fits.open(io.BytesIO(received.content)) as hdus:
        if len(hdus) > 1 and "X" in (hdus[1].columns.names or []):
            return np.column_stack([hdus[1].data["X"], hdus[1].data["Y"]]), size
        pixels = np.ascontiguousarray(hdus[0].data, dtype=np.float32)
    background = sep.Background(pixels)
    found = sep.extract(pixels - background.back(), 5.0, err=background.globalrms, minarea=5)
    found = found[np.argsort(-found["flux"])]
    return np.column_stack([found["x"], found["y"]]) + 1, (pixels.shape[1], pixels.shape[0])


@lru_cache
def engine_of(index: tuple[Path, ...]) -> astrometry.Solver:
    """Keep the engine: freed while it is at work for an ended test, it would crash."""
    return astrometry.Solver(list(index))


def run_engine(
    engine: astrometry.Solver, stars: np.ndarray, fields: dict, size: tuple[int, int]
) -> astrometry.Match | None:
    scale = None
    if "scale_units" in fields:
        unit = {"arcsecperpix": 1.0, "arcminwidth": 60 / size[0], "degwidth": 3600 / size[0]}
        low, high = fields.get("scale_lower"), fields.get("scale_upper")
        if fields.get("scale_type", "ul") == "ev":
            share = fields["scale_err"] / 100
            low, high = fields["scale_est"] * (1 - share), fields["scale_est"] * (1 + share)
        scale = astrometry.SizeHint(*(v * unit[fields["scale_units"]] for v in (low, high)))
    place = None
    if "center_ra" in fields:
        place = astrometry.PositionHint(*(fields[k] for k in ("center_ra", "center_dec", "radius")))
    order = int(fields.get("tweak_order", 2))
    parameters = astrometry.SolutionParameters(
        sip_order=order,
        tune_up_logodds_threshold=14.0 if order else None,
        parity=astrometry.Parity(int(fields.get("parity", 2))),
        logodds_callback=lambda found: (
            astrometry.Action.STOP if found[0] > 60 else astrometry.Action.CONTINUE
        ),
    )
    with ONE_AT_A_TIME:
        solution = engine.solve(stars[:100], scale, place, parameters)
    return solution.best_match() if solution.has_match() else None


def write_header(match: astrometry.Match, size: tuple[int, int]) -> bytes:
    """Write the WCS as a FITS file that is only a header."""
    header = fits.Header([("SIMPLE", True), ("BITPIX", 8), ("NAXIS", 0), ("EXTEND", True)])
    header.extend(fits.Card(key, *pair) for key, pair in match.wcs_fields.items())
    header["IMAGEW"], header["IMAGEH"] = size
    header.add_history("Created by the Astrometry.net suite.")
    return header.tostring(padding=True).encode("ascii")


def write_matches(match: astrometry.Match, stars: np.ndarray) -> bytes:
    """List the stars of the index that fall on stars sent, as the real server does."""
    wcs: WCS = match.astropy_wcs()
    sky = np.array([(star.ra_deg, star.dec_deg) for star in match.stars])
    index = np.column_stack(wcs.all_world2pix(*sky.T, 1))
    distance = np.hypot(*(index[:, None] - stars[None]).transpose(2, 0, 1))
    nearest, good = distance.argmin(axis=1), distance.min(axis=1) < 3
    columns = {
        "field_x": stars[nearest][good, 0],
        "field_y": stars[nearest][good, 1],
        "index_x": index[good, 0],
        "index_y": index[good, 1],
        "index_ra": sky[good, 0],
        "index_dec": sky[good, 1],
    }
    table = fits.BinTableHDU.from_columns(
        [fits.Column(name=name, format="D", array=values) for name, values in columns.items()]
    )
    file = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(file)
    return file.getvalue()
