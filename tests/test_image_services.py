"""The whole path over real HTTP on loopback: standards, matches, and services in trouble."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from services_server import ServicesServer
from sim_image import Observatory, Rendered, enclosed_share, ey_uma_frame

from lightcurve.clock import Clock
from lightcurve.config import Settings, make_settings
from lightcurve.errors import InputError
from lightcurve.image import measure_image
from lightcurve.image_stages.reduced import Reduced

SITE = Observatory(shape=(830, 830), scale=1.5)


@pytest.fixture(scope="module")
def server(shared_data: Path) -> Iterator[ServicesServer]:
    served = ServicesServer(shared_data)
    # Its tables call most stars double; these are to serve.
    served.tables["gaiadr3.gaia_source"]["ruwe"] = 1.0
    yield served
    served.close()


@pytest.fixture(scope="module")
def truth(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    catalog = shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv"
    return ey_uma_frame(tmp_path_factory.mktemp("ey") / "ey.fits", catalog, SITE)


def settings_for(server: ServicesServer, **catalogs: object) -> Settings:
    return make_settings(
        {
            "catalogs": {"servers": server.servers, "timeout_s": 10.0, **catalogs},
            "image": {"psf": "none", "injected": 0, "cosmic_rays": "no"},
        }
    )


def statuses(reduced: Reduced) -> dict[str, str]:
    return {report.name: report.status for report in reduced.known.reports}


def offset(reduced: Reduced) -> float:
    """Zero point of the main aperture less the true one."""
    kind, apertures = reduced.calibrated.aperture, reduced.sources.apertures
    assert kind.zero_point is not None
    share = enclosed_share(SITE, apertures.radii[apertures.main])
    return kind.zero_point.value - SITE.zero_point_adu - 2.5 * np.log10(share)


def test_services_give_standards_and_names(
    server: ServicesServer, truth: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    server.calm()
    reduced = measure_image(truth.path, settings_for(server), Clock())
    status = statuses(reduced)
    for name in ("gaia", "panstarrs", "simbad", "vsx"):
        assert status[name] in {"ok", "empty"}, status
    standards = reduced.calibrated.standards
    assert standards is not None
    assert standards.catalog.name == "panstarrs"
    assert abs(offset(reduced)) < 0.01
    assert reduced.placed.solution.n_matched > 80
    table = reduced.table
    assert (np.asarray(table["gaia_id"]) != "").sum() > 100
    assert np.nanmax(np.asarray(table["gaia_sep"])) < 3
    assert str(table["gaia_g_mag"].unit) == "mag"
    # Once asked, no server is needed.
    server.asked.clear()
    again = measure_image(truth.path, settings_for(server, offline=True), Clock())
    assert not server.asked
    assert offset(again) == pytest.approx(offset(reduced), abs=1e-6)


@pytest.mark.parametrize("trouble", ["500", "truncated", "html", "renamed"])
def test_a_service_in_trouble_costs_its_own_columns(
    server: ServicesServer,
    truth: Rendered,
    trouble: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    server.calm()
    server.trouble["vizier"] = trouble
    reduced = measure_image(truth.path, settings_for(server), Clock())
    status = statuses(reduced)
    assert status["panstarrs"] == "failed"
    assert status["gaia"] in {"ok", "failed"}
    assert any("Pan-STARRS" in note for note in reduced.notes)
    assert len(reduced.table) > 100
    if status["gaia"] == "ok":
        standards = reduced.calibrated.standards
        assert standards is not None
        assert standards.catalog.name == "gaia"
        # By a transformation from G, BP and RP to SDSS r, good to a few hundredths.
        assert abs(offset(reduced)) < 0.1


def test_asteroids_are_seen_from_the_observatory_named(
    server: ServicesServer, truth: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    server.calm()
    server.asked.clear()
    told = []
    for code in (None, "g96"):
        settings = settings_for(server)
        image = settings.image.model_copy(update={"mpc_code": code, "services": ("skybot",)})
        reduced = measure_image(truth.path, settings.model_copy(update={"image": image}), Clock())
        told += [r.reason for r in reduced.known.reports if r.name == "skybot"]
    questions = [question for key, question in server.asked if key == "skybot"]
    assert ["-loc=500" in questions[0], "-loc=G96" in questions[1]] == [True, True]
    assert "from the Earth's centre to the site" in told[0]
    assert "seen from observatory G96" in told[1]
    with pytest.raises(InputError, match="mpc_code"):
        make_settings({"image": {"mpc_code": "Kitt Peak"}})
