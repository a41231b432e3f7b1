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
from lightcurve.astrometry import web
from lightcurve.astrometry.nova import NovaServer, solve_nova
from lightcurve.astrometry.request import SolveRequest
from lightcurve.core.errors import SolveError
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
    reason = failure(frame, settings)
    assert "does not know this API key: check ASTROMETRY_NET_API_KEY" in reason
    # Nor is it asked again for the next frame.
    assert f"{reason} (found before; for 10 min not asked again)" == failure(frame, settings)
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
    reason = failure(frame, settings)
    asked = len(nova.received)
    assert f"{reason} (found before; for 10 min not asked again)" == failure(frame, settings)
    assert len(nova.received) == asked
    # A night lasts longer than most troubles.
    nova.troubles.clear()
    monkeypatch.setattr(web, "monotonic", lambda: monotonic() + web.REST_S)
    later = settings.model_copy(update={"timeout_s": 2 * web.REST_S})
    assert_right(solve_nova(frame, later))


def test_a_server_that_is_down(key: str, frame: SolveRequest, settings: SolveSettings) -> None:
    nowhere = settings.model_copy(update={"server": "http://127.0.0.1:9"})
    assert "127.0.0.1:9 cannot be reached (Connection refused)" in failure(frame, nowhere)


def test_a_server_without_a_safe_connection(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    https = settings.model_copy(update={"server": nova.url.replace("http:", "https:")})
    assert "has no safe connection to offer" in failure(frame, https)
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
    reason = failure(frame, settings.model_copy(update={"timeout_s": 0.5}))
    over.set()
    assert "does not answer in time" in reason
    # Asked once, for the least time that any answer gets.
    assert len(nova.asked("login")) == 1


def test_a_server_that_trickles(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("login", trickle)
    # Whoever hears the server out is cut off at the end, and gives another reason.
    reason = failure(frame, settings.model_copy(update={"timeout_s": 0.5}))
    assert "does not answer in time" in reason


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (429, r"asks for fewer requests \(429\)"),
        (503, r"trouble of its own \(503\)"),
    ],
)
@pytest.mark.parametrize("where", ["login", "upload", "submissions", "jobs", "wcs_file"])
def test_a_busy_server_is_asked_again_but_not_for_ever(
    nova: Nova,
    key: str,
    frame: SolveRequest,
    settings: SolveSettings,
    where: str,
    status: int,
    words: str,
) -> None:
    nova.trouble(where, status, times=web.TRIES - 1)
    assert_right(solve_nova(frame, settings))
    nova_solver._server.cache_clear()
    nova.trouble(where, status)
    with pytest.raises(SolveError, match=words):
        solve_nova(frame, settings)


def test_a_busy_server_says_when_to_come_again(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("login", 429, times=1, Retry_After="1")
    started = monotonic()
    solve_nova(frame, settings)
    assert monotonic() - started > 1
    nova_solver._server.cache_clear()
    nova.trouble("login", 429, Retry_After="86400")
    assert "fewer requests (429), again after 86400 s" in failure(frame, settings)


def test_a_connection_that_breaks_is_made_again(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    for where in ("upload", "submissions", "wcs_file"):
        nova.trouble(where, drop, times=2)
    assert_right(solve_nova(frame, settings))
    nova.trouble("submissions", drop)
    assert "broke off" in failure(frame, settings)


@pytest.mark.usefixtures("counted_time")
def test_a_queue_that_is_too_long(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    short = settings.model_copy(update={"timeout_s": 0.3})
    nova.queued = 1_000_000
    reason = failure(frame, short)
    assert "time is up (timeout_s): submission 16030035" in reason
    assert "waits in the queue; the same command goes on from here" in reason
    assert "goes on" not in failure(replace(frame, state_file=None), short)
    nova.queued, nova.pending = 0, 1_000_000
    assert "waits in the queue" in failure(frame, short)


@pytest.mark.usefixtures("counted_time")
def test_a_solve_that_takes_too_long(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.solving = 1_000_000
    reason = failure(frame, settings.model_copy(update={"timeout_s": 0.3}))
    assert "is still being solved" in reason
    # Ever less often: not once every 20 ms.
    assert len(nova.asked("submissions|jobs")) < 12


def test_a_solve_that_fails(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    request = replace(frame, stars=random_stars(60))
    reason = failure(request, settings)
    assert "finds no match for submission 16030035, job 16830035" in reason
    assert not request.state_file.exists()


def test_too_few_stars_are_not_sent(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    request = replace(frame, stars=random_stars(3))
    assert "3 stars, 4 are needed" in failure(request, settings)
    gone = replace(frame, path=Path("gone.fits"))
    image = settings.model_copy(update={"upload": "image"})
    assert "gone.fits: cannot be read" in failure(gone, image)
    assert not nova.received


def test_a_submission_that_comes_to_nothing(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.dead = True
    assert failure(frame, settings).endswith("can make nothing of submission 16030035")
    nova.error_message = "Traceback\n  File x.py\nValueError: not an image"
    assert failure(frame, settings).endswith("ValueError: not an image")


def test_a_session_that_has_expired_is_renewed_once(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    solve_nova(frame, settings)
    nova.sessions.clear()
    assert_right(solve_nova(frame, settings))
    assert len(nova.asked("login")) == 2
    nova.trouble("upload", {"status": "error", "errormessage": 'no session with key "x"'})
    assert "the session expires as soon as it is opened" in failure(frame, settings)
    assert len(nova.asked("login")) == 3


def test_an_upload_that_is_refused(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("upload", {"status": "error", "errormessage": "no\x1b[31m disk\n space"}, times=1)
    assert failure(frame, settings).endswith("refuses what was sent: no[31m disk space")
    nova.trouble("upload", 413, times=1)
    assert "too large (413): try --upload sources" in failure(frame, settings)
    nova.trouble("upload", 403, times=1)
    assert "refuses access (403)" in failure(frame, settings)


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
    reason = failure(frame, settings)
    lost = where == "submissions" and what == "not found"
    refused = what == "odd" and where in {"login", "upload"}
    words = "has lost submission" if lost else "refuses" if refused else "makes no sense"
    assert words in reason
    assert len(reason) < 400


def test_an_answer_without_end(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("login", b"x" * (web.MAX_BYTES + 1))
    assert "sends more than 1 MB" in failure(frame, settings)


def test_no_result_of_a_job_that_is_solved(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("wcs_file", 404)
    assert "has no WCS of job 16830035, which it says is solved" in failure(frame, settings)


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
