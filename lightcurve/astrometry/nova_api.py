"""The web interface of nova.astrometry.net, or of any server that speaks as it does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic import SecretStr

from lightcurve.astrometry.web import WebServer
from lightcurve.errors import SolveError
from lightcurve.http import Reply

MAX_FILE_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Submission:
    """How far a server has come with something sent to it.

    Attributes
    ----------
    finished : bool
        Whether it has ended to look at what was sent; solving comes after that.
    n_images : int
        Images or star lists that it found in it.
    job : int or None
        The solving, once there is one.
    error : str
        What went wrong, in the server's words; empty when nothing did.
    """

    finished: bool
    n_images: int
    job: int | None
    error: str


class NovaServer:
    """One server, as the owner of one key sees it; it logs in when it must.

    Every call takes ``end``, the `time.monotonic` at which to give up, and raises SolveError with
    a reason of its own for each way to fail. Neither key nor session is ever in a message.

    Parameters
    ----------
    address : str
        ``https://host``, with or without ``/api``.
    key : SecretStr
    plain_http : bool
        Send the key unencrypted to another machine.

    Raises
    ------
    SolveError
        When the address is none, or would carry the key in the clear.
    """

    def __init__(self, address: str, key: SecretStr, *, plain_http: bool = False) -> None:
        self._web = WebServer(address, plain_http=plain_http)
        self._web.secrets.add(key.get_secret_value())
        self.host = self._web.host
        self._key = key
        self._session = SecretStr("")

    def upload(self, options: Mapping[str, Any], name: str, content: bytes, end: float) -> int:
        """Send a star list or an image to be solved.

        options: of the interface: hints, and who may see it; name: file name that the server is
        told.
        Number of the submission.
        """
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
                raise SolveError(msg)
            self._session = SecretStr("")
        msg = f"{self.host}: the session expires as soon as it is opened; try again later"
        raise SolveError(msg)

    def submission(self, number: int, end: float) -> Submission | None:
        """Ask how far a submission is.

        None when the server knows no such submission.
        """
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
        """Ask whether a job is done.

        ``"success"``, ``"failure"``, or another word while it goes on.
        """
        reply = self._web.get(f"api/jobs/{job}", end)
        status = self._json(reply).get("status")
        return status if isinstance(status, str) else self._malformed(reply)

    def result(self, kind: str, job: int, end: float) -> bytes | None:
        """Fetch a file that a job made.

        kind: ``"wcs_file"`` or ``"corr_file"``.
        None when the server has no such file.
        """
        reply = self._web.get(f"{kind}/{job}", end, limit=MAX_FILE_BYTES)
        if reply.status == 404:
            return None
        if reply.body.lstrip()[:1] == b"<":
            msg = f"{self.host} shows a web page in place of its {kind} (a check for robots?)"
            raise SolveError(msg)
        return reply.body if reply.status == 200 else self._malformed(reply)

    def _log_in(self, end: float) -> None:
        if self._session.get_secret_value():
            return
        reply = self._post("login", {"apikey": self._key.get_secret_value()}, end)
        try:
            self._session = self._session_in(reply)
        except SolveError as error:
            # Every frame would be told the same.
            self._web.rest(str(error))
            raise
        self._web.secrets.add(self._session.get_secret_value())

    def _session_in(self, reply: Reply) -> SecretStr:
        answer = self._json(reply)
        if answer.get("status") != "success":
            reason = str(answer.get("errormessage", "no reason given"))
            msg = f"{self.host} refuses the login: {self._web.quote(reason)}"
            if "apikey" in reason.lower():
                msg = f"{self.host} does not know this API key: check ASTROMETRY_NET_API_KEY"
            raise SolveError(msg)
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
            raise SolveError(msg)
        if reply.status == 413:
            msg = f"{self.host} finds what was sent too large (413): try --upload sources"
            raise SolveError(msg)
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
        raise SolveError(msg)


def _is_time(value: object) -> bool:
    """Tell a time from none; the server writes none as the word "None"."""
    return isinstance(value, str) and value not in {"", "None"}
