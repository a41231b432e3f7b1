"""The whole path over real HTTP on loopback: standards, matches, and services in trouble."""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from lightcurve.core.algebra import one_thread
from lightcurve.core.errors import InputError
from lightcurve.core.progress import Clock
from lightcurve.core.settings import Settings, make_settings
from lightcurve.image.batch import COLUMNS, measure_sequence
from lightcurve.image.reduced import Reduced, summarise
from lightcurve.image.story import measure_image
from lightcurve.image.write import write_products
from services_server import ServicesServer
from sim_image import Observatory, Rendered, enclosed_share, ey_uma_frame

SITE = Observatory(shape=(830, 830), scale=1.5)


@pytest.fixture(scope="module")
def server(shared_data: Path) -> Iterator[ServicesServer]:
    served = ServicesServer(shared_data)
    # Its tables call most stars double; these are to serve.
    served.tables["gaiadr3.gaia_source"]["ruwe"] = 1.0
    yield served
    served.close()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightcurve.core.http.FIRST_WAIT_S", 0.01)


@pytest.fixture(scope="module")
def truth(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    catalog = shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv"
    return ey_uma_frame(tmp_path_factory.mktemp("ey") / "ey.fits", catalog, SITE)


def settings_for(server: ServicesServer, **catalogs: object) -> Settings:
    return make_settings(
        {
            "catalogs": {"servers": server.servers, "timeout_s": 60.0, **catalogs},
            "image": {"psf": "none", "injected": 0, "cosmic_rays": "no"},
            "figures": "none",
        }
    )


def statuses(reduced: Reduced) -> dict[str, str]:
    return {report.name: report.status for report in reduced.known.reports}


def reduced_into(folder: Path, truth: Rendered, settings: Settings) -> Reduced:
    """Measure the frame and write all products."""
    clock = Clock()
    reduced = measure_image(truth.path, settings, clock)
    write_products(folder, reduced, clock)
    return reduced


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
    assert status == {**dict.fromkeys(OF_VIZIER, "ok"), **OTHERS}
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


OF_VIZIER = ("panstarrs", "sdss", "vsx", "milliquas", "tenparsec")
OTHERS = {"gaia": "ok", "simbad": "ok", "skybot": "empty", "colibri": "skipped"}
REASONS = {
    "500": "HTTP 500", "truncated": "not a whole VOTable", "html": "not a whole VOTable",
    "renamed": "no column", "timeout": "in time",
}  # fmt: skip


def told_services(folder: Path) -> dict[str, list[str]]:
    """Read the table of services off the page: title to status, rows and reason."""
    page = (folder / "report.html").read_text()
    rows = re.findall(r"<tr>(.*?)</tr>", page.split("Catalogues and services</h2>")[1], re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
    return {cell[0]: [html.unescape(text) for text in cell[1:]] for cell in cells if len(cell) == 4}


@pytest.mark.parametrize("trouble", REASONS)
def test_a_service_in_trouble_costs_its_own_columns(
    server: ServicesServer,
    truth: Rendered,
    trouble: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "cache"))
    server.calm()
    server.trouble["vizier"] = trouble
    # Only the service in trouble may need longer than it has, however busy the machine is.
    settings = settings_for(server, timeout_s=3.0 if trouble == "timeout" else 60.0)
    reduced = reduced_into(tmp_path, truth, settings)
    assert statuses(reduced) == {**dict.fromkeys(OF_VIZIER, "failed"), **OTHERS}
    assert any(note.startswith("Pan-STARRS1: ") for note in reduced.notes)
    # By a transformation from G, BP and RP to SDSS r, good to a few hundredths.
    assert reduced.calibrated.standards.catalog.name == "gaia"
    assert abs(offset(reduced)) < 0.1
    written = Table.read(tmp_path / "catalog.ecsv")
    assert len(written) > 100
    assert (written["gaia_id"] != "").sum() > 100
    assert not [name for name in written.colnames if name.startswith(OF_VIZIER)]
    assert set(written.meta["failed_services"]) == set(OF_VIZIER)
    assert written.meta["standards"] == "Gaia DR3"
    told = told_services(tmp_path)
    status, rows, reason = told["Pan-STARRS1"]
    assert (status, rows) == ("failed", "0")
    assert REASONS[trouble] in reason
    assert told["Gaia DR3"][0] == "ok"
    assert int(told["Gaia DR3"][1]) > 100


def test_empty_answers_are_no_failures_and_give_no_zero_point(
    server: ServicesServer, truth: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "cache"))
    server.calm()
    server.trouble |= {"vizier": "empty", "gaia": "empty"}
    reduced = reduced_into(tmp_path, truth, settings_for(server))
    expected = {**dict.fromkeys(OF_VIZIER, "empty"), **OTHERS, "gaia": "empty"}
    assert statuses(reduced) == expected
    assert reduced.calibrated.standards is None
    written = Table.read(tmp_path / "catalog.ecsv")
    assert written.meta["failed_services"] == []
    assert "zero_point_mag" not in written.meta
    assert (written["panstarrs_n"] == 0).all()
    assert np.isnan(written["aperture_1_3_mag"]).all()
    # Per cent is no unit of VOTable.
    votable = Table.read(tmp_path / "catalog.vot")
    assert "(in %)" in votable["milliquas_quasar_percent"].description
    assert told_services(tmp_path)["Pan-STARRS1"][:2] == ["empty", "0"]


def test_a_sequence_has_the_numbers_of_the_frame_alone(
    server: ServicesServer, truth: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "cache"))
    server.calm()
    settings = settings_for(server)
    with one_thread():  # as frames of a sequence are: more threads add up in another order
        alone = summarise(measure_image(truth.path, settings, Clock()))
    (row,) = measure_sequence([truth.path], settings, tmp_path)
    assert row["standards"] == alone["standards"] == "Pan-STARRS1"
    for name in set(COLUMNS) - {"quality", "reason", "failed_services"}:
        # Where the airmass is not known it is NaN, which is not itself.
        np.testing.assert_equal(row[name], alone[name], err_msg=name)
    with (tmp_path / "sequence.csv").open() as file:
        assert next(csv.DictReader(file))["standards"] == "Pan-STARRS1"


def test_a_row_without_a_service_that_failed_is_measured_again(
    server: ServicesServer, truth: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "cache"))
    server.calm()
    server.trouble["vizier"] = "500"
    (row,) = measure_sequence([truth.path], settings_for(server), tmp_path)
    assert row["standards"] == "Gaia DR3"
    server.calm()
    (row,) = measure_sequence([truth.path], settings_for(server), tmp_path)
    assert row["standards"] == "Pan-STARRS1"


@pytest.mark.parametrize("harm", [lambda c: c[: len(c) // 2], lambda c: c[:30] + b"\0" * 40],
                         ids=["cut", "zeros"])  # fmt: skip
def test_a_damaged_memory_is_told_from_none(
    server: ServicesServer, truth: Rendered, harm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    server.calm()
    measure_image(truth.path, settings_for(server), Clock())
    for kept in (tmp_path / "answers").iterdir():
        kept.write_bytes(harm(kept.read_bytes()))
    reduced = measure_image(truth.path, settings_for(server, offline=True), Clock())
    told = {report.name: report.reason for report in reduced.known.reports}
    assert statuses(reduced)["panstarrs"] == "failed"
    assert "the answer kept is damaged" in told["panstarrs"]
    assert any("damaged" in note for note in reduced.notes)


def test_standards_named_in_vain_are_told(
    server: ServicesServer, truth: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path))
    server.calm()
    settings = settings_for(server)
    image = settings.image.model_copy(update={"standards": "twomass"})
    reduced = measure_image(truth.path, settings.model_copy(update={"image": image}), Clock())
    assert reduced.calibrated.standards.catalog.name == "gaia"
    assert any(
        note.startswith("--standards twomass: it gave none") and "Gaia DR3 is taken" in note
        for note in reduced.notes
    )


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
