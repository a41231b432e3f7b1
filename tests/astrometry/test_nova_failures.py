"""Every way that solving by a server can fail, told apart; and going on after it."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from lightcurve.astrometry import nova as nova_solver
from lightcurve.astrometry import solving_server
from lightcurve.astrometry.nova import NovaServer, solve_nova
from lightcurve.astrometry.request import SolveRequest
from lightcurve.core.errors import SolveError, Why
from lightcurve.core.http import Reply
from lightcurve.core.settings import SolveSettings
from nova_cases import (  # noqa: F401  (fixtures by other names)
    assert_right,
    counted_time_fixture,
    failure,
    frame_fixture,
    key_fixture,
    quick_fixture,
    random_stars,
    settings_fixture,
)
from nova_server import Nova, drop, trickle

# Each failure, told apart.


def test_a_wrong_key(
    nova: Nova, frame: SolveRequest, settings: SolveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTROMETRY_NET_API_KEY", "wrong-key")
    assert failure(frame, settings).why is Why.ACCESS_REFUSED
    # Nor is it asked again for the next frame.
    assert failure(frame, settings).why is Why.ACCESS_REFUSED
    assert len(nova.asked("/api/")) == 1
    # Another key is another matter.
    monkeypatch.setenv("ASTROMETRY_NET_API_KEY", nova.key)
    assert_right(solve_nova(frame, settings))


@pytest.mark.parametrize(
    "reply", [503, b"<html>Sign in to the wireless</html>", drop], ids=["busy", "page", "drop"]
)
def test_a_server_that_is_of_no_use_is_left_alone(
    nova: Nova,
    key: str,
    frame: SolveRequest,
    settings: SolveSettings,
    monkeypatch: pytest.MonkeyPatch,
    reply: object,
) -> None:
    nova.trouble("", reply)
    first = failure(frame, settings)
    asked = len(nova.received)
    again = failure(frame, settings)
    assert (again.why, str(first) in str(again)) == (first.why, True)
    assert len(nova.received) == asked
    # A night lasts longer than most troubles.
    nova.troubles.clear()
    monkeypatch.setattr(solving_server, "monotonic", lambda: monotonic() + solving_server.REST_S)
    later = settings.model_copy(update={"timeout_s": 2 * solving_server.REST_S})
    assert_right(solve_nova(frame, later))


def test_a_server_that_is_down(key: str, frame: SolveRequest, settings: SolveSettings) -> None:
    nowhere = settings.model_copy(update={"server": "http://127.0.0.1:9"})
    assert failure(frame, nowhere).why is Why.NO_SERVER


def test_a_server_without_a_safe_connection(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    https = settings.model_copy(update={"server": nova.url.replace("http:", "https:")})
    assert failure(frame, https).why is Why.NO_SERVER
    assert not nova.received


def test_a_server_that_says_nothing(
    nova: Nova,
    key: str,
    frame: SolveRequest,
    settings: SolveSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = Event()
    nova.trouble("login", lambda _handler: over.wait(60))
    error = failure(frame, settings.model_copy(update={"timeout_s": 0.5}))
    over.set()
    assert error.why is Why.TIMED_OUT
    # Asked once, for the least time that any answer gets.
    assert len(nova.asked("login")) == 1


def test_a_server_that_trickles(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("login", trickle)
    # Whoever hears the server out is cut off at the end, and gives another reason.
    error = failure(frame, settings.model_copy(update={"timeout_s": 0.5}))
    assert error.why is Why.TIMED_OUT


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("where", ["login", "upload", "submissions", "jobs", "wcs_file"])
def test_a_busy_server_is_asked_again_but_not_for_ever(
    nova: Nova,
    key: str,
    frame: SolveRequest,
    settings: SolveSettings,
    where: str,
    status: int,
) -> None:
    nova.trouble(where, status, times=solving_server.TRIES - 1)
    assert_right(solve_nova(frame, settings))
    nova_solver._server.cache_clear()
    nova.trouble(where, status)
    assert failure(frame, settings).why is Why.NO_SERVER


def test_a_busy_server_says_when_to_come_again(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("login", 429, times=1, Retry_After="1")
    started = monotonic()
    solve_nova(frame, settings)
    assert monotonic() - started > 1
    nova_solver._server.cache_clear()
    nova.trouble("login", 429, Retry_After="86400")
    assert "86400 s" in str(failure(frame, settings))


def test_a_connection_that_breaks_is_made_again(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    for where in ("upload", "submissions", "wcs_file"):
        nova.trouble(where, drop, times=2)
    assert_right(solve_nova(frame, settings))
    nova.trouble("submissions", drop)
    assert failure(frame, settings).why is Why.NO_SERVER


@pytest.mark.usefixtures("counted_time")
def test_a_queue_that_is_too_long(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    short = settings.model_copy(update={"timeout_s": 0.3})
    nova.queued = 1_000_000
    error = failure(frame, short)
    assert (error.why, "submission 16030035" in str(error)) == (Why.TIMED_OUT, True)
    assert failure(replace(frame, state_file=None), short).why is Why.TIMED_OUT
    nova.queued, nova.pending = 0, 1_000_000
    assert failure(frame, short).why is Why.TIMED_OUT


@pytest.mark.usefixtures("counted_time")
def test_a_solve_that_takes_too_long(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.solving = 1_000_000
    error = failure(frame, settings.model_copy(update={"timeout_s": 0.3}))
    assert error.why is Why.TIMED_OUT
    # Ever less often: not once every 20 ms.
    assert len(nova.asked("submissions|jobs")) < 12


def test_a_solve_that_fails(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    request = replace(frame, stars=random_stars(60))
    assert failure(request, settings).why is Why.NO_MATCH
    assert not request.state_file.exists()


def test_too_few_stars_are_not_sent(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    request = replace(frame, stars=random_stars(3))
    error = failure(request, settings)
    assert (error.why, error.n_detected) == (Why.TOO_FEW_STARS, 3)
    gone = replace(frame, path=Path("gone.fits"))
    image = settings.model_copy(update={"upload": "image"})
    assert failure(gone, image).why is Why.UNREADABLE
    assert not nova.received


def test_a_submission_that_comes_to_nothing(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.dead = True
    assert failure(frame, settings).why is Why.NO_MATCH
    nova.error_message = "Traceback\n  File x.py\nValueError: not an image"
    assert "ValueError: not an image" in str(failure(frame, settings))


def test_a_session_that_has_expired_is_renewed_once(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    solve_nova(frame, settings)
    nova.sessions.clear()
    assert_right(solve_nova(frame, settings))
    assert len(nova.asked("login")) == 2
    nova.trouble("upload", {"status": "error", "errormessage": 'no session with key "x"'})
    assert failure(frame, settings).why is Why.NO_SERVER
    assert len(nova.asked("login")) == 3


def test_an_upload_that_is_refused(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("upload", {"status": "error", "errormessage": "no\x1b[31m disk\n space"}, times=1)
    error = failure(frame, settings)
    assert (error.why, "no[31m disk space" in str(error)) == (Why.UPLOAD_REFUSED, True)
    nova.trouble("upload", 413, times=1)
    assert failure(frame, settings).why is Why.UPLOAD_REFUSED
    nova.trouble("upload", 403, times=1)
    assert failure(frame, settings).why is Why.ACCESS_REFUSED


NAMES = st.sampled_from(
    [
        "status",
        "session",
        "subid",
        "jobs",
        "user_images",
        "processing_started",
        "processing_finished",
        "errormessage",
        "error_message",
    ]
)
MALFORMED = {
    "html": b"<html><body>Welcome to the wireless network</body></html>",
    "empty": b"",
    "list": [1, 2],
    "cut": b'{"status": "succ',
    "nested": b"[" * 100_000,
    "missing": {"status": "success"},
    "text": {"subid": "12", "session": 5, "jobs": "x", "user_images": 3, "status": "success"},
    "odd": {"status": 7, "subid": -1, "jobs": [True], "user_images": [], "errormessage": None},
    "not found": 404,
}


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (where, what)
        for where in ("login", "upload", "submissions", "jobs")
        for what in MALFORMED
        # Of a job, "success" is a whole answer.
        if where != "jobs" or what not in {"missing", "text"}
    ],
)
def test_a_malformed_answer(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings, where: str, what: str
) -> None:
    nova.trouble(where, MALFORMED[what])
    error = failure(frame, settings)
    others = {
        ("submissions", "not found"): Why.LOST,
        ("login", "odd"): Why.ACCESS_REFUSED,
        ("upload", "odd"): Why.UPLOAD_REFUSED,
    }
    assert error.why is others.get((where, what), Why.NOT_UNDERSTOOD)
    assert len(str(error)) < 400


def test_an_answer_without_end(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("login", b"x" * (solving_server.MAX_BYTES + 1))
    assert failure(frame, settings).why is Why.NOT_UNDERSTOOD


def test_no_result_of_a_job_that_is_solved(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("wcs_file", 404)
    assert failure(frame, settings).why is Why.LOST


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (b"SIMPLE  = nothing", "its list of matched stars cannot be read"),
        (b"<html>", "shows a web page in place of its corr_file"),
        (503, "has trouble of its own"),
    ],
    ids=["garbage", "page", "busy"],
)
def test_a_broken_list_of_matches_costs_no_solution(
    nova: Nova,
    key: str,
    frame: SolveRequest,
    settings: SolveSettings,
    shared_data: Path,
    caplog: pytest.LogCaptureFixture,
    reply: object,
    words: str,
) -> None:
    nova.trouble("corr_file", reply)
    found = solve_nova(frame, settings)
    assert found.n_matched == 0
    assert words in found.detail + caplog.text
    index = shared_data / "index-tycho2-hatp32.fits"
    checked = solve_nova(frame, settings.model_copy(update={"index": (index,)}))
    assert_right(checked)
    assert words not in checked.detail


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=20,
)


@given(answer=st.dictionaries(NAMES, JSON, max_size=8), status=st.sampled_from([200, 200, 400]))
def test_no_answer_does_more_than_fail(answer: dict, status: int) -> None:
    server = NovaServer("https://localhost", SecretStr("secret"))
    reply = Reply(status, {}, json.dumps(answer).encode())
    server._web.get = server._web.post = lambda *_args, **_more: reply
    for ask in (
        lambda: server.submission(1, 0.0),
        lambda: server.job_status(1, 0.0),
        lambda: server.upload({}, "x", b"", 0.0),
    ):
        with suppress(SolveError):
            ask()


# Going on after an interruption.


@pytest.mark.usefixtures("counted_time")
def test_an_interrupted_solve_goes_on(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.queued = 1_000_000
    failure(frame, settings.model_copy(update={"timeout_s": 0.2}))
    state = json.loads(frame.state_file.read_text())
    assert state["submission"] == 16030035
    nova.queued = 0
    assert_right(solve_nova(frame, settings))
    assert len(nova.asked("upload")) == 1
    assert not frame.state_file.exists()


def test_a_submission_is_kept_when_the_program_is_killed(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings, monkeypatch
) -> None:
    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(nova_solver, "sleep", stop)
    with pytest.raises(KeyboardInterrupt):
        solve_nova(frame, settings)
    assert frame.state_file.exists()


@pytest.mark.usefixtures("counted_time")
def test_what_was_kept_serves_for_the_very_same_only(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.queued = 1_000_000
    short = settings.model_copy(update={"timeout_s": 0.1})
    failure(frame, short)
    failure(frame, short)
    assert len(nova.asked("upload")) == 1
    failure(replace(frame, scale_arcsec=5.0), short)
    failure(frame, short.model_copy(update={"public": True}))
    assert len(nova.asked("upload")) == 3


@pytest.mark.parametrize("text", ["", "{", "[]", '{"digest": 1}', "null"], ids=range(5))
def test_a_broken_note_of_a_submission_is_no_hindrance(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings, text: str
) -> None:
    frame.state_file.parent.mkdir()
    frame.state_file.write_text(text)
    assert_right(solve_nova(frame, settings))


@pytest.mark.usefixtures("counted_time")
def test_a_submission_that_the_server_has_forgotten_is_sent_anew(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.queued = 1_000_000
    failure(frame, settings.model_copy(update={"timeout_s": 0.1}))
    nova.jobs.clear()
    nova.queued = 0
    assert_right(solve_nova(frame, settings))
    assert len(nova.asked("upload")) == 2


def test_a_place_that_cannot_be_written_is_no_hindrance(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings, tmp_path: Path, caplog
) -> None:
    (tmp_path / "file").write_text("")
    request = replace(frame, state_file=tmp_path / "file" / "state.json")
    assert_right(solve_nova(request, settings))
    assert "not kept" in caplog.text
