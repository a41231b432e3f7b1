"""Solving by a server: over real HTTP, really solved, and every way it can fail."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from astropy.config import set_temp_config
from astropy.io import fits
from astropy.utils.exceptions import AstropyDeprecationWarning
from astropy.wcs import WCS
from nova_server import Nova, Received, drop
from pydantic import SecretStr

from lightcurve.astrometry import nova as nova_solver
from lightcurve.astrometry import web
from lightcurve.astrometry.answer import read_result
from lightcurve.astrometry.chain import solve
from lightcurve.astrometry.nova import find_key, pack, solve_nova
from lightcurve.astrometry.nova_api import NovaServer, Submission
from lightcurve.astrometry.request import SolveRequest
from lightcurve.config import SolveSettings
from lightcurve.data import Detections, Solution
from lightcurve.errors import SolveError
from lightcurve.phot.detect import detect

TARGET = (31.042825, 46.687836)
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nova_solver, "FIRST_WAIT_S", 0.02)
    monkeypatch.setattr(nova_solver, "LONGEST_WAIT_S", 0.1)
    monkeypatch.setattr(web, "FIRST_WAIT_S", 0.01)
    nova_solver._server.cache_clear()


@pytest.fixture
def key(nova: Nova, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ASTROMETRY_NET_API_KEY", nova.key)
    return nova.key


@pytest.fixture(scope="module")
def first(hatp32: list[Path]) -> SolveRequest:
    pixels, header = fits.getdata(hatp32[0], header=True)
    stars = detect(pixels.astype(np.float32), saturation_adu=4095)
    return SolveRequest(stars, pixels.shape, header, hatp32[0], *TARGET, 5.21)


@pytest.fixture
def frame(first: SolveRequest, tmp_path: Path) -> SolveRequest:
    return replace(first, state_file=tmp_path / "kept" / "submission.json")


@pytest.fixture
def settings(nova: Nova) -> SolveSettings:
    return SolveSettings(solvers=("nova",), server=nova.url, timeout_s=30)


def random_stars(n: int) -> Detections:
    rng = np.random.default_rng(3)
    one = np.ones(n)
    return Detections(rng.uniform(0, 650, n), rng.uniform(0, 500, n), one, one, one, 0.0, 1.0)


def assert_right(solution: Solution) -> None:
    """Compare with a place known from another solver and AstroImageJ's centroid."""
    assert solution.solver == "nova"
    assert solution.n_matched > 30
    assert solution.rms_arcsec < 2
    x, y = solution.wcs.all_world2pix(*TARGET, 0)
    assert np.hypot(x - 422.96, y - 286.1) < 0.25


def failure(request: SolveRequest, settings: SolveSettings) -> str:
    with pytest.raises(SolveError) as caught:
        solve_nova(request, settings)
    return str(caught.value)


# What works.


def test_a_real_frame_is_solved_from_its_star_list(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    solution = solve_nova(frame, settings)
    assert_right(solution)
    assert "checked with the stars that it matched" in solution.detail
    (sent,) = nova.asked("/api/upload")
    assert sent.file_name == "stars.txt"
    assert len(sent.content) < frame.path.stat().st_size / 50
    # Counted from 1, brightest first.
    first = [float(v) for v in sent.content.split(b"\n")[0].split()]
    assert first == pytest.approx([frame.stars.x[0] + 1, frame.stars.y[0] + 1], abs=1e-3)
    assert not frame.state_file.exists()


def test_the_image_is_sent_only_on_request(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    assert_right(solve_nova(frame, settings.model_copy(update={"upload": "image"})))
    (sent,) = nova.asked("/api/upload")
    assert sent.content == frame.path.read_bytes()
    assert sent.file_name == "frame.FITS"


def test_nothing_is_public_unless_wanted(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    solve_nova(frame, settings)
    solve_nova(frame, settings.model_copy(update={"public": True}))
    private, public = (sent.fields for sent in nova.asked("/api/upload"))
    names = ("publicly_visible", "allow_commercial_use", "allow_modifications")
    assert [private[name] for name in names] == ["n", "n", "n"]
    assert [public[name] for name in names] == ["y", "d", "d"]


def test_hints_are_given(frame: SolveRequest) -> None:
    options = pack(frame, SolveSettings(radius_deg=3.0, parity="mirrored")).options
    assert (options["center_ra"], options["center_dec"], options["radius"]) == (*TARGET, 3.0)
    assert options["scale_lower"] < 5.21 / 1.5
    assert options["scale_upper"] > 5.21 * 1.5
    assert (options["scale_type"], options["scale_units"]) == ("ul", "arcsecperpix")
    assert options["parity"] == 1
    assert (options["image_width"], options["image_height"]) == (650, 500)
    nothing = replace(frame, ra_deg=None, scale_arcsec=None)
    options = pack(nothing, SolveSettings()).options
    assert options["parity"] == 2
    assert not {"center_ra", "radius", "scale_lower", "scale_units"} & set(options)
    assert "center_ra" not in pack(frame, SolveSettings(blind=True)).options
    # A zero would be taken for no hint at all.
    assert 0 < pack(replace(frame, ra_deg=0.0), SolveSettings()).options["center_ra"] < 1e-5
    assert 0 <= pack(replace(frame, ra_deg=-1e-9), SolveSettings()).options["center_ra"] < 1e-5


def test_the_server_is_told_the_parity_as_it_means_it(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    # These frames are mirrored: their first row is the top one.
    found = solve_nova(frame, settings.model_copy(update={"parity": "mirrored"}))
    assert found.parity == -1
    y = frame.shape[0] - 1 - frame.stars.y
    flipped = replace(frame, stars=replace(frame.stars, y=y))
    found = solve_nova(flipped, settings.model_copy(update={"parity": "sky"}))
    assert found.parity == 1
    assert "no match" in failure(frame, settings.model_copy(update={"parity": "sky"}))


def test_the_server_sees_that_no_robot_asks(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.guarded = True
    assert_right(solve_nova(frame, settings))
    nova.trouble("wcs_file", b"\n<!DOCTYPE html><html>Are you human?</html>")
    assert "shows a web page in place of its wcs_file" in failure(frame, settings)


def test_recorded_answers_are_understood(
    nova: Nova, shared_data: Path, settings: SolveSettings
) -> None:
    folder = shared_data / "services" / "nova"
    server = NovaServer(nova.url, SecretStr("secret"))
    end = monotonic() + 30
    found = {}
    for state in ("queued", "pending", "ready", "dead"):
        nova.trouble("submissions", (folder / f"submission_{state}.json").read_bytes(), times=1)
        found[state] = server.submission(1, end)
    assert found["queued"] == Submission(
        started=False, finished=False, n_images=0, job=None, error=""
    )
    assert found["pending"] == replace(found["queued"], started=True, finished=True, n_images=1)
    assert found["ready"] == replace(found["pending"], job=16837720)
    assert found["dead"] == replace(found["pending"], n_images=0)
    for name in ("solving", "success"):
        nova.trouble("jobs", (folder / f"job_{name}.json").read_bytes(), times=1)
        assert server.job_status(2, end) == name
    nova.trouble("login", (folder / "login_bad_key.json").read_bytes(), times=1)
    with pytest.raises(SolveError, match="does not know this API key"):
        server.upload({}, "x", b"", end)
    nova.trouble("login", (folder / "login.json").read_bytes(), times=1)
    nova.trouble("upload", (folder / "upload.json").read_bytes(), times=1)
    assert server.upload({}, "x", b"", end) == 16030035
    nova.trouble("login", (folder / "login.json").read_bytes())
    nova.trouble("upload", (folder / "upload_bad_session.json").read_bytes())
    with pytest.raises(SolveError, match="session expires") as caught:
        server.upload({}, "x", b"", end)
    assert "3lzjzcyq" not in str(caught.value)


def test_the_server_answers_as_recorded(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings, shared_data: Path
) -> None:
    solve_nova(frame, settings)
    (number,) = nova.jobs
    nova.jobs[number].polls = 0
    session = {"session": next(iter(nova.sessions))}
    answers = {
        "login": nova.login(Received("POST", "", {"apikey": key})),
        "login_bad_key": nova.login(Received("POST", "", {"apikey": "wrong"})),
        "submission_queued": nova.submission(number),
        "submission_pending": nova.submission(number),
        "submission_ready": nova.submission(number),
        "job_info_calibration": nova.info(nova.jobs[number]),
        "upload": nova.upload(Received("POST", "", session)),
        "upload_bad_session": nova.upload(Received("POST", "", {})),
    }
    for name, answer in answers.items():
        recorded = json.loads((shared_data / "services" / "nova" / f"{name}.json").read_text())
        assert set(answer) == set(recorded), name
        assert {type(v) for v in answer.values()} == {type(v) for v in recorded.values()}, name


@pytest.mark.parametrize("name", ["source-list", "thumbnail-image"])
def test_a_recorded_result_is_read(frame: SolveRequest, shared_data: Path, name: str) -> None:
    folder = shared_data / "services" / "astroquery" / "astrometry_net"
    path = folder / f"wcs-sol-from-{name}-index-5200.fit"
    header = fits.getheader(path)
    shape = header["IMAGEH"], header["IMAGEW"]
    request = replace(frame, shape=shape, scale_arcsec=None)
    wcs = read_result(path.read_bytes(), request)
    del header["NAXIS"]
    corners = np.array([[0, 0], [shape[1], 0], [0, shape[0]], [shape[1], shape[0]]], dtype=float)
    np.testing.assert_allclose(
        wcs.all_pix2world(corners, 0), WCS(header).all_pix2world(corners, 0), rtol=1e-12
    )


def test_one_login_serves_many_frames(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    for _ in range(3):
        solve_nova(frame, settings)
    assert len(nova.asked("/api/login")) == 1
    assert len(nova.asked("/api/upload")) == 3


def test_the_catalogue_is_what_a_solution_is_checked_with(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings, shared_data: Path
) -> None:
    table = fits.getdata(shared_data / "tycho2-hatp32.fits")
    sky = np.column_stack([table["RA"], table["DEC"]]).astype(float)
    solution = solve_nova(replace(frame, catalog=sky), settings)
    assert_right(solution)
    assert "that it matched" not in solution.detail
    assert not nova.asked("corr_file")
    wrong = failure(replace(frame, catalog=sky + np.array([0.05, 0.0])), settings)
    assert "may be chance" in wrong


def test_without_known_stars_it_says_that_nothing_was_checked(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("corr_file", 404)
    solution = solve_nova(frame, settings)
    assert solution.n_matched == 0
    assert "not checked" in solution.detail


def test_a_wrong_wcs_is_not_believed(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings, shared_data: Path
) -> None:
    # A real solution, of another frame of the same size and scale.
    solve_nova(frame, settings)
    header = fits.Header.fromstring(nova.jobs[max(nova.jobs)].wcs)
    header["CRVAL1"] += 0.1
    nova.trouble("wcs_file", header.tostring().encode())
    known = settings.model_copy(update={"index": (shared_data / "index-tycho2-hatp32.fits",)})
    assert "may be chance" in failure(frame, known)


# The key.


def test_the_key_comes_from_the_environment_or_astroquery(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "astroquery.astrometry_net", None)
    folder = tmp_path / "astropy"
    folder.mkdir()
    with set_temp_config(tmp_path):
        assert find_key() is None
    (folder / "astroquery.cfg").write_text("[astrometry_net]\napi_key = from-the-file\n")
    with set_temp_config(tmp_path):
        assert find_key().get_secret_value() == "from-the-file"
        monkeypatch.setenv("ASTROMETRY_NET_API_KEY", " from-the-environment\n")
        assert find_key().get_secret_value() == "from-the-environment"
        assert "from-the" not in repr(find_key())


def test_the_key_set_in_a_running_astroquery_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from astroquery.astrometry_net import conf

    monkeypatch.setattr(type(conf), "api_key", "set-by-hand")
    assert find_key().get_secret_value() == "set-by-hand"


def test_without_a_key_nothing_is_asked(
    nova: Nova, frame: SolveRequest, settings: SolveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nova_solver, "find_key", lambda: None)
    assert "no API key in ASTROMETRY_NET_API_KEY" in failure(frame, settings)
    assert not nova.received


def test_the_key_is_never_told(
    nova: Nova,
    key: str,
    frame: SolveRequest,
    settings: SolveSettings,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    nova.solving = 1_000_000
    told = [failure(frame, settings.model_copy(update={"timeout_s": 0.3}))]
    told += [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    nova.solving = 1
    solve_nova(frame, settings)
    (session,) = nova.sessions
    echo = f"who are you, {nova.key} of {session}?"
    for answer in (
        {"status": "error", "errormessage": echo},
        {"status": "success", "subid": echo},
        echo.encode(),
        503,
        drop,
    ):
        nova.trouble("upload", answer)
        told.append(failure(frame, settings))
        nova.troubles.clear()
    for answer in (401, 500, {"status": "error", "errormessage": echo}, echo.encode(), drop):
        nova_solver._server.cache_clear()
        nova.trouble("login", answer)
        # A session that it does not have it cannot know for one.
        told.append(failure(frame, settings).replace(session, ""))
        nova.troubles.clear()
    assert len(told) == 12
    told.append(caplog.text)
    told.append(repr(vars(nova_solver._server(nova.url, find_key(), plain_http=False))))
    assert not [text for text in told if key in text or session in text]


@pytest.mark.parametrize("address", ["http://nova.astrometry.net", "http://192.0.2.7:8000/api"])
def test_the_key_goes_to_other_machines_by_https_only(
    key: str, frame: SolveRequest, settings: SolveSettings, address: str
) -> None:
    reason = failure(frame, settings.model_copy(update={"server": address}))
    assert "anyone on the way" in reason
    told = settings.model_copy(update={"server": address, "plain_http": True, "timeout_s": 0.1})
    assert "cannot be reached" in failure(frame, told)


@pytest.mark.parametrize(
    "address",
    ["nova.astrometry.net", "ftp://x", "https://", "https://me:pw@x", "http://[", "https://x?a=b"],
)
def test_an_address_that_is_none_is_refused(
    key: str, frame: SolveRequest, settings: SolveSettings, address: str
) -> None:
    reason = failure(frame, settings.model_copy(update={"server": address}))
    assert "--server must be an address" in reason
    assert "pw" not in reason


def test_what_is_sent_is_not_sent_on(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    for status in (301, 302, 307, 308):
        nova.trouble("login", status, Location=f"{nova.url}/elsewhere", times=1)
        assert f"sends on to {nova.url}/elsewhere: give that as" in failure(frame, settings)
    assert not nova.asked("elsewhere")


def test_results_may_lie_elsewhere(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    solve_nova(frame, settings)
    result = nova.jobs[max(nova.jobs)].wcs
    nova.trouble("/wcs_file", 302, Location="/files/wcs.fits")
    nova.trouble("/files/wcs.fits", result)
    assert_right(solve_nova(frame, settings))
    nova.troubles.clear()
    nova.trouble("/wcs_file", 302, Location="/wcs_file/1")
    assert "sends on and on" in failure(frame, settings)
    nova.troubles.clear()
    nova.trouble("/wcs_file", 302, Location="file:///etc/passwd")
    assert "which is not safe" in failure(frame, settings)


# Each failure, told apart.


def test_a_wrong_key(
    nova: Nova, frame: SolveRequest, settings: SolveSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTROMETRY_NET_API_KEY", "wrong-key")
    reason = failure(frame, settings)
    assert "does not know this API key: check ASTROMETRY_NET_API_KEY" in reason
    assert len(nova.asked("/api/")) == 1


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
    from threading import Event

    over = Event()
    nova.trouble("login", lambda _handler: over.wait(10))
    started = monotonic()
    reason = failure(frame, settings.model_copy(update={"timeout_s": 0.5}))
    over.set()
    assert "does not answer in time" in reason
    assert monotonic() - started < 3


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
    assert "cannot be reached" in failure(frame, settings)


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
    assert f"answers with over {web.MAX_BYTES} bytes" in failure(frame, settings)


def test_no_result_of_a_job_that_is_solved(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("wcs_file", 404)
    assert "has no WCS of job 16830035, which it says is solved" in failure(frame, settings)
    nova.troubles.clear()
    nova.trouble("corr_file", b"SIMPLE  = nothing")
    assert "matched stars cannot be read" in failure(frame, settings)


def good_cards() -> dict:
    cards = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "IMAGEW": 650, "IMAGEH": 500}
    cards |= {"CRVAL1": 31.0, "CRVAL2": 46.7, "CRPIX1": 325.5, "CRPIX2": 250.5}
    cards |= {"CD1_1": 0.00143, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.00143}
    return cards | {"A_ORDER": 2, "A_2_0": 1e-7, "B_ORDER": 2, "B_0_2": 1e-7}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CTYPE1": "RA---ZPN", "CTYPE2": "DEC--ZPN"}, "neither TAN nor TAN-SIP"),
        ({"CTYPE1": "RA---TAN"}, "neither TAN nor TAN-SIP"),
        ({"CD1_1": 0.0}, "degenerate"),
        ({"IMAGEW": 1300, "IMAGEH": 1000}, "of a frame of 1300 x 1000 pixels"),
        ({"CD1_1": 0.0143, "CD2_2": 0.0143}, "arcsec/px, the frame 5.21"),
        ({"A_ORDER": 10**9}, "order over 9"),
        ({"A_ORDER": "two"}, "cannot be read"),
        ({"CRVAL1": "here"}, "cannot be read"),
    ],
)
def test_a_wcs_that_makes_no_sense(frame: SolveRequest, changes: dict, words: str) -> None:
    good = fits.Header(good_cards())
    assert read_result(good.tostring().encode(), frame).sip is not None
    with pytest.raises(SolveError, match=words):
        read_result(fits.Header(good_cards() | changes).tostring().encode(), frame)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\x00" * 3000, b"SIMPLE  =", b"CTYPE1  = '" * 300], ids=range(5)
)
def test_a_wcs_that_is_none(frame: SolveRequest, body: bytes) -> None:
    with pytest.raises(SolveError, match="its WCS cannot be read"):
        read_result(body, frame)


# Going on after an interruption.


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


# With others.


def test_the_chain_comes_to_it_last(
    nova: Nova, key: str, frame: SolveRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightcurve.astrometry.index.SYSTEM_PLACES", ())
    monkeypatch.setenv("PATH", "")
    solution = solve(frame, SolveSettings(server=nova.url))
    assert_right(solution)
    monkeypatch.delenv("ASTROMETRY_NET_API_KEY")
    monkeypatch.setattr(nova_solver, "_configured_key", str)
    with pytest.raises(SolveError, match=r"header: .*local: .*solve-field: no .*nova: no API key"):
        solve(frame, SolveSettings(server=nova.url))


def astroquery_client(nova: Nova, folder: Path, monkeypatch: pytest.MonkeyPatch):
    from astroquery.astrometry_net import AstrometryNetClass, conf

    monkeypatch.setattr(type(conf), "api_key", nova.key)
    client = AstrometryNetClass()
    client.URL, client.API_URL = nova.url, f"{nova.url}/api"
    client.cache_location = folder
    return client


def test_astroquery_solves_with_this_server(
    nova: Nova, frame: SolveRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = astroquery_client(nova, tmp_path, monkeypatch)
    x, y = frame.stars.x[:80] + 1, frame.stars.y[:80] + 1
    hints = {"scale_units": "arcsecperpix", "scale_type": "ev", "scale_est": 5.2, "scale_err": 20}
    header = client.solve_from_source_list(
        x, y, 650, 500, solve_timeout=30, verbose=False, publicly_visible="n", **hints
    )
    del header["NAXIS"]
    at = WCS(header).all_world2pix(*TARGET, 0)
    assert np.hypot(at[0] - 422.96, at[1] - 286.1) < 0.5
    nova.queued = nova.solving = 0
    with warnings.catch_warnings():
        # It means to do without this argument, but not yet.
        warnings.simplefilter("ignore", AstropyDeprecationWarning)
        header, number = client.solve_from_image(
            frame.path,
            force_image_upload=True,
            solve_timeout=30,
            verbose=False,
            return_submission_id=True,
            center_ra=TARGET[0],
            center_dec=TARGET[1],
            radius=3.0,
        )
    del header["NAXIS"]
    at = WCS(header).all_world2pix(*TARGET, 0)
    assert np.hypot(at[0] - 422.96, at[1] - 286.1) < 0.5
    assert number in nova.jobs


def start(nova: Nova, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "cli.py"), *arguments]
    command += ["--solver", "nova", "--server", nova.url, "--json"]
    environment = {
        **os.environ,
        "ASTROMETRY_NET_API_KEY": nova.key,
        "LIGHTCURVE_CACHE_DIR": str(folder / "cache"),
    }
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def assert_untold(key: str, folder: Path, *said: str) -> None:
    """See that the key is neither in what a command said nor in any file it wrote."""
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert written
    told = [*said, *(path.read_text("latin-1") for path in written)]
    assert not [text for text in told if key in text]


def test_real_frames_are_solved_by_the_command_line_alone(
    nova: Nova, hatp32: list[Path], tmp_path: Path
) -> None:
    frames = [str(path) for path in hatp32[::70]]
    nova.pending, nova.guarded = 0, True
    out, said = start(nova, tmp_path, "solve", *frames, "--out", str(tmp_path / "out")).communicate(
        timeout=120
    )
    rows = json.loads(out)
    assert [row["status"] for row in rows] == ["solved"] * len(frames), said
    assert {row["solver"] for row in rows} == {"nova"}
    assert all(row["scale_arcsec"] == pytest.approx(5.164, abs=0.005) for row in rows)
    assert all(row["n_matched"] > 20 and row["rms_arcsec"] < 2 for row in rows)
    assert len(nova.asked("login")) == 1
    assert len(list((tmp_path / "out").iterdir())) == len(frames)
    assert_untold(nova.key, tmp_path, out, said)


def test_a_killed_command_goes_on_where_it_was(
    nova: Nova, hatp32: list[Path], tmp_path: Path
) -> None:
    nova.queued = 1_000_000
    first = start(nova, tmp_path, "solve", str(hatp32[5]))
    while not nova.asked("submissions"):
        assert first.poll() is None, first.communicate()
        sleep(0.05)
    first.kill()
    assert_untold(nova.key, tmp_path, *first.communicate())
    nova.queued = nova.pending = nova.solving = 0
    out, said = start(nova, tmp_path, "solve", str(hatp32[5])).communicate(timeout=60)
    assert json.loads(out)[0]["status"] == "solved"
    assert "going on with submission 16030035" in said
    assert len(nova.asked("upload")) == 1
    assert not list((tmp_path / "cache" / "submissions").iterdir())


def test_a_run_uses_it_and_keeps_no_key(nova: Nova, hatp32: list[Path], tmp_path: Path) -> None:
    night = tmp_path / "night"
    night.mkdir()
    for path in hatp32[::12]:
        (night / path.name).symlink_to(path)
    place = ["--ra", str(TARGET[0]), "--dec", str(TARGET[1]), "--target", "HAT-P-32"]
    run = start(nova, tmp_path, "run", str(night), *place, "--out", str(tmp_path / "run"))
    out, said = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert "solved by nova" in said
    assert len(nova.asked("upload")) == 1
    assert_untold(nova.key, tmp_path / "run", out, said)
