"""Plate solving by nova.astrometry.net or a server like it: its interface, and the solver."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NoReturn

from pydantic import SecretStr

from lightcurve.astrometry.other_programs import (
    cone,
    read_result,
    scale_bounds,
    star_places,
    stars_to_check,
)
from lightcurve.astrometry.request import SolveRequest, settle
from lightcurve.astrometry.solving_server import WebServer
from lightcurve.core.data import Solution
from lightcurve.core.errors import InputError, SolveError, Why
from lightcurve.core.files import write_text
from lightcurve.core.http import Reply
from lightcurve.core.settings import SolveSettings

__all__ = ["KEY_VARIABLE", "find_key"]

MAX_FILE_BYTES = 20_000_000
log = logging.getLogger(__name__)
KEY_VARIABLE = "ASTROMETRY_NET_API_KEY"
SIP_ORDER = 2
FIRST_WAIT_S, LONGEST_WAIT_S, WAIT_GROWTH = 0.5, 15.0, 1.5
# 0 is the sky as it is seen: north up, east left.
PARITY = {"sky": 0, "mirrored": 1, "either": 2}


@dataclass(frozen=True, slots=True)
class Submission:
    """How far a server has come with something sent to it."""

    finished: bool  # whether it has ended to look at what was sent; solving comes after that
    n_images: int  # images or star lists that it found in it
    job: int | None  # the solving, once there is one
    error: str  # what went wrong, in the server's words; empty when nothing did


class NovaServer:
    """One server, as the owner of one key sees it; it logs in when it must.

    Every call takes ``end``, the `time.monotonic` at which to give up, and raises SolveError with
    a reason of its own for each way to fail. Neither key nor session is ever in a message.

    address : ``https://host``, with or without ``/api``.
    plain_http : allow sending the key unencrypted to another machine.

    Raises SolveError when the address is not valid, or would carry the key in the clear.
    """

    def __init__(self, address: str, key: SecretStr, *, plain_http: bool = False) -> None:
        self._web = WebServer(address, plain_http=plain_http)
        self._web.secrets.add(key.get_secret_value())
        self.host = self._web.host
        self._key = key
        self._session = SecretStr("")

    def upload(self, options: Mapping[str, Any], name: str, content: bytes, end: float) -> int:
        """Send a star list or an image to be solved; return the number of the submission."""
        for _ in range(2):
            self._log_in(end)
            fields = {**options, "session": self._session.get_secret_value()}
            reply = self._post("upload", fields, end, files={"file": (name, content)})
            answer = self._json(reply)
            if answer.get("status") == "success":
                return self._number(answer.get("subid"), reply)
            reason = answer.get("errormessage", "no reason given")
            if not re.search(r"session|authenticated", str(reason), re.IGNORECASE):
                msg = f"{self.host} refuses what was sent: {self._web.quote(reason)}"
                raise SolveError(msg, why=Why.UPLOAD_REFUSED)
            self._session = SecretStr("")
        msg = f"{self.host}: the session expires as soon as it is opened; try again later"
        raise SolveError(msg, why=Why.NO_SERVER)

    def submission(self, number: int, end: float) -> Submission | None:
        """Ask how far a submission is; None when the server knows no such one."""
        reply = self._web.get(f"api/submissions/{number}", end)
        if reply.status == 404:
            return None
        answer = self._json(reply)
        images, jobs = answer.get("user_images", []), answer.get("jobs")
        if not isinstance(images, list) or not isinstance(jobs, list):
            self._malformed(reply)
        # Until there is a job a null stands in its place.
        numbers = [self._number(job, reply) for job in jobs if job is not None]
        return Submission(
            finished=_is_time(answer.get("processing_finished")),
            n_images=len(images),
            job=numbers[0] if numbers else None,
            # A traceback as a rule, of which the last line tells most.
            error=self._web.quote(str(answer.get("error_message") or "").strip().split("\n")[-1]),
        )

    def job_status(self, job: int, end: float) -> str:
        """Ask about a job: ``"success"``, ``"failure"``, or another word while it goes on."""
        reply = self._web.get(f"api/jobs/{job}", end)
        status = self._json(reply).get("status")
        return status if isinstance(status, str) else self._malformed(reply)

    def result(self, kind: str, job: int, end: float) -> bytes | None:
        """Fetch a job's ``"wcs_file"`` or ``"corr_file"``; None when the server has none."""
        reply = self._web.get(f"{kind}/{job}", end, limit=MAX_FILE_BYTES)
        if reply.status == 404:
            return None
        if reply.body.lstrip()[:1] == b"<":
            msg = f"{self.host} shows a web page in place of its {kind} (a check for robots?)"
            raise SolveError(msg, why=Why.NOT_UNDERSTOOD)
        return reply.body if reply.status == 200 else self._malformed(reply)

    def _log_in(self, end: float) -> None:
        if self._session.get_secret_value():
            return
        reply = self._post("login", {"apikey": self._key.get_secret_value()}, end)
        try:
            self._session = self._session_in(reply)
        except SolveError as error:
            # Every frame would be told the same.
            self._web.rest(error)
            raise
        self._web.secrets.add(self._session.get_secret_value())

    def _session_in(self, reply: Reply) -> SecretStr:
        answer = self._json(reply)
        if answer.get("status") != "success":
            reason = str(answer.get("errormessage", "no reason given"))
            msg = f"{self.host} refuses the login: {self._web.quote(reason)}"
            if "apikey" in reason.lower():
                msg = f"{self.host} does not know this API key: check ASTROMETRY_NET_API_KEY"
            raise SolveError(msg, why=Why.ACCESS_REFUSED)
        session = answer.get("session")
        if not isinstance(session, str) or not session:
            self._malformed(reply)
        return SecretStr(session)

    def _post(self, what: str, options: Mapping[str, Any], end: float, files: Any = None) -> Reply:
        # The server looks for all options in this one field, which goes before the file.
        fields = {"request-json": json.dumps(options)}
        return self._web.post(f"api/{what}", fields, end, files=files)

    def _json(self, reply: Reply) -> dict:
        if reply.status in {401, 403}:
            msg = f"{self.host} refuses access ({reply.status}): is the API key in order?"
            raise SolveError(msg, why=Why.ACCESS_REFUSED)
        if reply.status == 413:
            msg = f"{self.host} finds what was sent too large (413): try --upload sources"
            raise SolveError(msg, why=Why.UPLOAD_REFUSED)
        try:
            answer = json.loads(reply.body) if reply.status == 200 else None
        except (ValueError, RecursionError):
            answer = None
        return answer if isinstance(answer, dict) else self._malformed(reply)

    def _number(self, value: object, reply: Reply) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self._malformed(reply)
        return value

    def _malformed(self, reply: Reply) -> NoReturn:
        start = self._web.quote(reply.body.decode("utf-8", "replace"))[:100]
        msg = (
            f"{self.host} gives an answer that makes no sense (status {reply.status}, "
            f"{start!r}): is it an astrometry.net server?"
        )
        raise SolveError(msg, why=Why.NOT_UNDERSTOOD)


def _is_time(value: object) -> bool:
    """Tell a time from none; the server writes none as the word "None"."""
    return isinstance(value, str) and value not in {"", "None"}


@dataclass(frozen=True, slots=True)
class _Parcel:
    """What is sent: options, file name, file, and a digest of them all."""

    options: dict[str, Any]
    name: str
    content: bytes
    digest: str


def solve_nova(request: SolveRequest, settings: SolveSettings) -> Solution:
    """Have a frame solved by a server; wait for it, or go on with one that was sent before.

    The request's `state_file` keeps the number of the submission while the server is at work.
    Raises SolveError when there is no key, the server cannot be asked, is too slow, finds nothing,
    or what it finds is not where the frame's stars are. Each has its own message.
    """
    key = find_key()
    if key is None:
        msg = f"no API key in {KEY_VARIABLE} or astroquery's configuration"
        raise SolveError(msg, n_detected=len(request.stars), why=Why.NO_KEY)
    end = monotonic() + settings.timeout_s
    parcel = pack(request, settings)
    server = _server(settings.server, key, settings.plain_http)
    number = _submit(server, parcel, request.state_file, end)
    job = _wait(server, number, request, end)
    body = server.result("wcs_file", job, end)
    matched = None if request.catalog is not None else _matched(server, job, end)
    _forget(request.state_file)
    if body is None:
        msg = f"{server.host} has no WCS of job {job}, which it says is solved"
        raise SolveError(msg, n_detected=len(request.stars), why=Why.LOST)
    wcs = read_result(body, request)
    sky, source = stars_to_check(wcs, matched, request, settings)
    return settle(wcs, request, sky, "nova", f"{server.host}, submission {number}{source}")


def _matched(server: NovaServer, job: int, end: float) -> bytes | None:
    try:
        return server.result("corr_file", job, end)
    except SolveError as error:
        # The WCS is there; without this list it is checked with what else is known.
        log.warning("job %d: no list of matched stars: %s", job, error)
        return None


def find_key() -> SecretStr | None:
    """Look for an API key: ``ASTROMETRY_NET_API_KEY``, else astroquery's configuration."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key:
        loaded = sys.modules.get("astroquery.astrometry_net")
        key = loaded.conf.api_key if loaded else _configured_key()
    return SecretStr(key) if key else None


def _configured_key() -> str:
    """Read astroquery's configuration file without loading astroquery, which takes a second."""
    from astropy.config import get_config

    section = get_config("astroquery").get("astrometry_net", {})
    return str(section.get("api_key", "")).strip() if isinstance(section, dict) else ""


@lru_cache(maxsize=4)
def _server(address: str, key: SecretStr, plain_http: bool) -> NovaServer:  # noqa: FBT001
    """Keep one session for all frames."""
    return NovaServer(address, key, plain_http=plain_http)


def pack(request: SolveRequest, settings: SolveSettings) -> _Parcel:
    """Pack what a server is sent; raises SolveError with too few stars or an unreadable image."""
    name, content, more = SENDERS[settings.upload](request)
    options = _visibility(settings) | _hints(request, settings) | more
    whole = json.dumps([settings.server, options, name], sort_keys=True).encode() + content
    return _Parcel(options, name, content, hashlib.sha256(whole).hexdigest())


def _visibility(settings: SolveSettings) -> dict[str, Any]:
    # "d" is what the account's owner has chosen there.
    allowed = "d" if settings.public else "n"
    return {
        "publicly_visible": "y" if settings.public else "n",
        "allow_commercial_use": allowed,
        "allow_modifications": allowed,
    }


def _hints(request: SolveRequest, settings: SolveSettings) -> dict[str, Any]:
    hints: dict[str, Any] = {
        "crpix_center": True,
        "tweak_order": SIP_ORDER,
        "parity": PARITY[settings.parity],
    }
    if bounds := scale_bounds(request, settings):
        hints |= {"scale_units": "arcsecperpix", "scale_type": "ul"}
        hints |= dict(zip(("scale_lower", "scale_upper"), bounds, strict=True))
    if place := cone(request, settings):
        # The server takes a zero for nothing given.
        values = (value or 1e-6 for value in place)
        hints |= dict(zip(("center_ra", "center_dec", "radius"), values, strict=True))
    return hints


def _pack_sources(request: SolveRequest) -> tuple[str, bytes, dict[str, Any]]:
    text = "".join(f"{x:.3f} {y:.3f}\n" for x, y in star_places(request))
    ny, nx = request.shape
    return "stars.txt", text.encode(), {"image_width": int(nx), "image_height": int(ny)}


def _pack_image(request: SolveRequest) -> tuple[str, bytes, dict[str, Any]]:
    """Take the file as it is, under a name that tells nothing."""
    path = request.path
    packed = path.suffix.lower() in {".gz", ".bz2", ".fz"}
    name = "frame" + "".join(path.suffixes[-2:] if packed else path.suffixes[-1:])
    try:
        return name, path.read_bytes(), {}
    except OSError as error:
        msg = f"{path.name}: cannot be read to be sent: {error.strerror}"
        raise SolveError(msg, why=Why.UNREADABLE) from error


SENDERS = {"sources": _pack_sources, "image": _pack_image}


def _submit(server: NovaServer, parcel: _Parcel, state_file: Path | None, end: float) -> int:
    """Send the parcel, unless the server has it from an earlier attempt."""
    number = _remembered(state_file, parcel.digest)
    if number is not None and server.submission(number, end) is not None:
        log.info("going on with submission %d at %s", number, server.host)
        return number
    number = server.upload(parcel.options, parcel.name, parcel.content, end)
    log.info("submission %d at %s: %d bytes sent", number, server.host, len(parcel.content))
    if state_file is not None:
        _keep(state_file, {"server": server.host, "submission": number, "digest": parcel.digest})
    return number


def _keep(state_file: Path, state: dict[str, Any]) -> None:
    try:
        state_file.parent.mkdir(parents=True, exist_ok=True)
        write_text(state_file, json.dumps(state) + "\n")
    except (OSError, InputError) as error:
        log.warning("the submission is not kept, so that it starts anew if stopped: %s", error)


def _remembered(state_file: Path | None, digest: str) -> int | None:
    """Find the number of an earlier submission of the very same parcel."""
    try:
        state = json.loads(state_file.read_text(encoding="utf-8")) if state_file else {}
        number = state["submission"] if state.get("digest") == digest else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, AttributeError, RecursionError) as error:
        log.warning("%s: not a kept submission (%s); the frame is sent anew", state_file, error)
        return None
    return number if type(number) is int else None


def _forget(state_file: Path | None) -> None:
    # A note that stays does no harm: its submission is looked up, and its result fetched again.
    with suppress(OSError):
        if state_file is not None:
            state_file.unlink()


def _wait(server: NovaServer, number: int, request: SolveRequest, end: float) -> int:
    """Wait, asking ever less often, until the server has solved a submission."""
    wait, job, status = FIRST_WAIT_S, None, ""
    while True:
        if job is None:
            job = _job_of(server, number, request, end)
        if job is not None:
            status = server.job_status(job, end)
        if job is not None and status == "success":
            return job
        if status == "failure":
            _forget(request.state_file)
            msg = (
                f"{server.host} finds no match for submission {number}, job {job}: are the "
                "stars real? try another --scale, or --upload image"
            )
            raise SolveError(msg, n_detected=len(request.stars), why=Why.NO_MATCH)
        if monotonic() + wait > end:
            doing = "waits in the queue" if job is None else "is still being solved"
            again = "; the same command goes on from here" if request.state_file else ""
            msg = f"time is up (timeout_s): submission {number} at {server.host} {doing}{again}"
            raise SolveError(msg, n_detected=len(request.stars), why=Why.TIMED_OUT)
        sleep(wait)
        wait = min(WAIT_GROWTH * wait, LONGEST_WAIT_S)


def _job_of(server: NovaServer, number: int, request: SolveRequest, end: float) -> int | None:
    state = server.submission(number, end)
    if state is not None and not _is_dead(state):
        return state.job
    _forget(request.state_file)
    if state is None:
        why, msg = Why.LOST, f"{server.host} has lost submission {number}; try again"
    else:
        said = f": {state.error}" if state.error else ""
        why, msg = Why.NO_MATCH, f"{server.host} can make nothing of submission {number}{said}"
    raise SolveError(msg, n_detected=len(request.stars), why=why)


def _is_dead(state: Submission) -> bool:
    """Tell whether a server is through with a submission and will make no job of it."""
    return state.job is None and (bool(state.error) or (state.finished and not state.n_images))
