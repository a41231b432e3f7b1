"""Solving by a server: over real HTTP, really solved, and every way it can fail."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np
import pytest
from astropy.config import set_temp_config
from astropy.io import fits
from astropy.utils.exceptions import AstropyDeprecationWarning
from astropy.wcs import WCS
from pydantic import SecretStr

from lightcurve.astrometry import nova as nova_solver
from lightcurve.astrometry.chain import solve
from lightcurve.astrometry.nova import NovaServer, Submission, find_key, pack, solve_nova
from lightcurve.astrometry.request import SolveRequest
from lightcurve.core.errors import InputError, SolveError, UnsolvedError, Why
from lightcurve.core.settings import SolveSettings, make_settings
from nova_cases import (  # noqa: F401  (fixtures by other names)
    TARGET,
    assert_right,
    counted_time_fixture,
    failure,
    frame_fixture,
    key_fixture,
    quick_fixture,
    request_of,
    settings_fixture,
)
from nova_server import Nova, Received, drop

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
    sure = pack(replace(frame, scale_is_known=True), SolveSettings(scale_tolerance=0.01)).options
    assert sure["scale_lower"] == pytest.approx(5.21 / 1.01, abs=1e-5)
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
    assert failure(frame, settings.model_copy(update={"parity": "sky"})).why is Why.NO_MATCH


def test_the_server_sees_that_no_robot_asks(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.guarded = True
    assert_right(solve_nova(frame, settings))
    nova.trouble("wcs_file", b"\n<!DOCTYPE html><html>Are you human?</html>")
    assert failure(frame, settings).why is Why.NOT_UNDERSTOOD


def test_recorded_answers_are_understood(
    nova: Nova, shared_data: Path, settings: SolveSettings
) -> None:
    folder = shared_data / "services" / "nova"
    server = NovaServer(nova.url, SecretStr("secret"))
    end = monotonic() + 600
    found = {}
    for state in ("queued", "pending", "ready", "dead"):
        nova.trouble("submissions", (folder / f"submission_{state}.json").read_bytes(), times=1)
        found[state] = server.submission(1, end)
    assert found["queued"] == Submission(finished=False, n_images=0, job=None, error="")
    assert found["pending"] == replace(found["queued"], finished=True, n_images=1)
    assert found["ready"] == replace(found["pending"], job=16837720)
    assert found["dead"] == replace(found["pending"], n_images=0)
    for name in ("solving", "success"):
        nova.trouble("jobs", (folder / f"job_{name}.json").read_bytes(), times=1)
        assert server.job_status(2, end) == name
    nova.trouble("login", (folder / "login_bad_key.json").read_bytes(), times=1)
    with pytest.raises(SolveError) as refused:
        server.upload({}, "x", b"", end)
    assert refused.value.why is Why.ACCESS_REFUSED
    server = NovaServer(nova.url, SecretStr("key"))
    nova.trouble("login", (folder / "login.json").read_bytes(), times=1)
    nova.trouble("upload", (folder / "upload.json").read_bytes(), times=1)
    assert server.upload({}, "x", b"", end) == 16030035
    nova.trouble("login", (folder / "login.json").read_bytes())
    nova.trouble("upload", (folder / "upload_bad_session.json").read_bytes())
    with pytest.raises(SolveError) as caught:
        server.upload({}, "x", b"", end)
    assert caught.value.why is Why.NO_SERVER
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
    other = np.column_stack([sky[:, 0], np.random.default_rng(1).permutation(sky[:, 1])])
    wrong = failure(replace(frame, catalog=other), settings)
    assert wrong.why is Why.NO_MATCH


def test_without_known_stars_it_says_that_nothing_was_checked(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    nova.trouble("corr_file", 404)
    solution = solve_nova(frame, settings)
    assert solution.n_matched == 0


def test_a_wrong_wcs_is_not_believed(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings, shared_data: Path
) -> None:
    # A real solution, of another frame of the same size and scale.
    solve_nova(frame, settings)
    header = fits.Header.fromstring(nova.jobs[max(nova.jobs)].wcs)
    header["CRVAL1"] += 0.4
    nova.trouble("wcs_file", header.tostring().encode())
    known = settings.model_copy(update={"index": (shared_data / "index-tycho2-hatp32.fits",)})
    assert failure(frame, known).why is Why.NO_MATCH


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
    assert failure(frame, settings).why is Why.NO_KEY
    assert not nova.received


@pytest.mark.usefixtures("counted_time")
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
    told = [str(failure(frame, settings.model_copy(update={"timeout_s": 0.3})))]
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
        told.append(str(failure(frame, settings)))
        nova.troubles.clear()
    for answer in (401, 500, {"status": "error", "errormessage": echo}, echo.encode(), drop):
        nova_solver._server.cache_clear()
        nova.trouble("login", answer)
        # A session that it does not have it cannot know for one.
        told.append(str(failure(frame, settings)).replace(session, ""))
        nova.troubles.clear()
    assert len(told) == 12
    told.append(caplog.text)
    told.append(repr(vars(nova_solver._server(nova.url, find_key(), plain_http=False))))
    assert not [text for text in told if key in text or session in text]


@pytest.mark.parametrize("address", ["http://nova.astrometry.net", "http://192.0.2.7:8000/api"])
def test_the_key_goes_to_other_machines_by_https_only(
    key: str, frame: SolveRequest, settings: SolveSettings, address: str
) -> None:
    error = failure(frame, settings.model_copy(update={"server": address}))
    assert error.why is Why.BAD_ADDRESS
    told = settings.model_copy(update={"server": address, "plain_http": True, "timeout_s": 0.1})
    assert failure(frame, told).why in {Why.NO_SERVER, Why.TIMED_OUT}


@pytest.mark.parametrize(
    "address",
    ["nova.astrometry.net", "ftp://x", "https://", "https://me:pw@x", "http://[", "https://x?a=b"],
)
def test_an_address_that_is_none_is_refused(
    key: str, frame: SolveRequest, settings: SolveSettings, address: str
) -> None:
    error = failure(frame, settings.model_copy(update={"server": address}))
    assert (error.why, "pw" in str(error)) == (Why.BAD_ADDRESS, False)


def test_what_is_sent_is_not_sent_on(
    nova: Nova, key: str, frame: SolveRequest, settings: SolveSettings
) -> None:
    for status in (301, 302, 307, 308):
        nova.trouble("login", status, Location=f"{nova.url}/elsewhere/{key}", times=1)
        error = failure(frame, settings)
        assert error.why is Why.SENT_ON
        assert f"{nova.url}/elsewhere/***" in str(error)
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
    assert failure(frame, settings).why is Why.SENT_ON
    nova.troubles.clear()
    nova.trouble("/wcs_file", 302, Location="file:///etc/passwd")
    assert failure(frame, settings).why is Why.SENT_ON


# With others.


def test_offline_it_is_not_asked() -> None:
    settings = make_settings({"catalogs": {"offline": True}, "solve": {"scale_arcsec": 2.0}})
    assert "nova" not in settings.solve.solvers
    assert settings.solve.scale_arcsec == 2.0
    assert "nova" in make_settings({}).solve.solvers
    with pytest.raises(InputError, match="which --offline forbids"):
        make_settings({"catalogs": {"offline": True}, "solve": {"solvers": ["nova"]}})


def test_the_chain_comes_to_it_last(
    nova: Nova, key: str, frame: SolveRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    solution = solve(frame, SolveSettings(server=nova.url))
    assert_right(solution)
    monkeypatch.delenv("ASTROMETRY_NET_API_KEY")
    monkeypatch.setattr(nova_solver, "_configured_key", str)
    with pytest.raises(UnsolvedError) as caught:
        solve(frame, SolveSettings(server=nova.url))
    causes = caught.value.causes
    assert tuple(causes) == ("header", "local", "solve-field", "nova")
    assert causes["nova"].why is Why.NO_KEY


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
