"""A season of known mid-times gives them back, and tells of each table what became of it."""

from __future__ import annotations

import csv
import json
import os

import numpy as np
import pytest

import lightcurve as lc
from lightcurve.core.data import About
from lightcurve.core.errors import FitError, InputError
from lightcurve.core.settings import Settings
from lightcurve.season.nights import Told
from lightcurve.season.story import join_season
from sim_season import planet_file, write_curve
from space_files import observe, planet_of, planet_text, write_light_curve

T0, PERIOD = 2459000.0003, 2.5000015
EPOCHS = (2, 40, 90, 91)


@pytest.fixture(scope="module")
def season(tmp_path_factory):
    folder = tmp_path_factory.mktemp("season")
    tables = folder / "tables"
    tables.mkdir()
    rng = np.random.default_rng(5)
    for epoch, band, window in zip(
        EPOCHS, ("V", "Rc", "Rc", "V"), ((-1, 1), (-0.9, 0.1), (-1, 1), (-1, 1)), strict=True
    ):
        mid = T0 + epoch * PERIOD
        write_curve(tables / f"n{epoch}_{band}.csv", mid, rng, window=window, filter_name=band)
    (tables / "again.csv").write_text((tables / "n2_V.csv").read_text())
    (tables / "notes.txt").write_text("clouds\nafter two\n")
    write_curve(tables / "local_Rc.csv", T0 + 60 * PERIOD, rng, shift_days=8 / 24)
    write_curve(tables / "flat.csv", T0 + 7.4 * PERIOD, rng, window=(-1, -0.55))
    settings = Settings(target={"planet_file": planet_file(folder)}, catalogs={"offline": True})
    return join_season([tables], settings, folder / "out", Told(filters=("n91*=V",)))


def test_the_ephemeris_is_that_of_the_mid_times(season):
    new = season.ephemeris
    truth = T0 + new.epoch * PERIOD
    assert abs(new.t0 - truth) < 3 * np.sqrt(new.cov[0, 0])
    assert abs(new.period - PERIOD) < 3 * np.sqrt(new.cov[1, 1])
    assert abs(new.correlation) < 0.05
    assert season.times.epoch.tolist() == [2, 40, 60, 90, 91]
    kept = season.times.of(season.judged.kept)
    assert kept.epoch.tolist() == list(EPOCHS)
    assert np.all(np.abs(kept.mid - T0 - kept.epoch * PERIOD) < 4 * kept.error)


def test_a_clock_of_local_time_is_named_and_left_out(season):
    words = season.judged.words
    assert "UTC+8 h" in words[2]
    assert season.judged.late[2] == pytest.approx(8 / 24, abs=4 * season.judged.error[2])
    assert not any(words[:2] + words[3:])


def test_the_shape_helps_a_partial_transit_most(season):
    own = [
        (p.upper - p.lower) / 2
        for p in (n.fit.parameters["mid_time_bjd_tdb"] for n in season.found)
    ]
    gain = np.array(own) / season.times.error
    assert gain.argmax() == 1
    assert gain[1] > 1.2


def test_of_the_same_frames_the_better_light_curve_counts(tmp_path):
    """Whichever comes first by its name."""
    settings = Settings(target={"planet_file": planet_file(tmp_path)}, catalogs={"offline": True})
    for name, noise in (("a.csv", 0.004), ("b.csv", 0.001)):
        write_curve(tmp_path / name, T0, np.random.default_rng(2), noise=noise)
    tables = [tmp_path / "a.csv", tmp_path / "b.csv"]
    joined = join_season(tables, settings, tmp_path / "out", Told(filters=("Rc",)))
    assert [night.label for night in joined.found] == ["b.csv"]
    left = next(night for night in joined.nights if night.label == "a.csv")
    assert left.again
    assert "b.csv" in left.error
    summary = joined.products.summary
    assert (summary["repeated"].value, summary["not_read"].value) == (1, 0)


def test_what_is_no_night_says_why_and_the_others_go_on(season):
    by_label = {night.label: night for night in season.nights}
    assert len(by_label) == 8
    assert "n2_V.csv" in by_label["again.csv"].error or "again.csv" in by_label["n2_V.csv"].error
    assert by_label["notes.txt"].error
    assert not by_label["flat.csv"].found
    assert not by_label["flat.csv"].error
    assert by_label["n91_V.csv"].filter == "V"
    assert by_label["n40_Rc.csv"].filter == "Rc"


def test_products_hold_the_same_numbers(season):
    folder = season.products.folder
    with (folder / "mid_times.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["mid_time_bjd_tdb"]) for row in rows] == pytest.approx(
        season.times.mid.tolist(), abs=1e-8
    )
    content = json.loads((folder / "season.json").read_text())
    assert content["ephemeris"]["period_days"] == season.ephemeris.period
    assert len(content["nights"]) == 8
    latex = (folder / "mid_times.tex").read_text()
    assert latex.count("pm") == 2 * len(EPOCHS)
    assert r"n2\_V.csv" in latex or "again.csv" in latex
    for name in ("o_minus_c", "folded"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 10_000


def test_refusals(tmp_path):
    settings = Settings(target={"planet_file": planet_file(tmp_path)})
    with pytest.raises(InputError):
        join_season([tmp_path / "none"], settings, tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        join_season([tmp_path / "empty"], settings, tmp_path / "out")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FitError):
        join_season([tmp_path / "bad.csv"], settings, tmp_path / "out")
    assert "bad.csv" in (tmp_path / "out" / "nights.csv").read_text()


def test_the_filter_of_a_table_counts_before_its_name(tmp_path):
    rng = np.random.default_rng(3)
    table = write_curve(tmp_path / "night_V.csv", T0 + 5 * PERIOD, rng)
    table.write_text("#FILTER=SR\n" + table.read_text())
    settings = Settings(target={"planet_file": planet_file(tmp_path)})
    (night,) = join_season([table], settings, tmp_path / "out").nights
    assert night.filter == "rp"


def test_a_light_curve_of_many_transits_is_cut_into_them(tmp_path):
    rng = np.random.default_rng(4)
    long, *others = (write_curve(tmp_path / f"{k}.csv", T0 + k * PERIOD, rng) for k in range(4))
    long.write_text(long.read_text() + "".join(p.read_text().split("\n", 1)[1] for p in others))
    season = lc.join_season([long], tmp_path / "out", planet=planet_file(tmp_path), filters=["V"])
    assert season.times.epoch.tolist() == [0, 1, 2, 3]
    assert len({night.label for night in season.nights}) == 4
    assert {night.filter for night in season.nights} == {"V"}
    assert np.all(np.abs(season.times.mid - T0 - PERIOD * np.arange(4)) < 4 * season.times.error)


@pytest.mark.parametrize("said", ["other*=V", "night.csv=", "", "=V"])
def test_a_filter_of_no_table_is_refused(tmp_path, said):
    table = write_curve(tmp_path / "night.csv", T0 + 5 * PERIOD, np.random.default_rng(3))
    settings = Settings(target={"planet_file": planet_file(tmp_path)})
    with pytest.raises(InputError):
        join_season([table], settings, tmp_path / "out", Told(filters=(said,)))


def test_a_name_that_is_no_text_is_written_all_the_same(tmp_path):
    name = tmp_path / os.fsdecode(b"caf\xe9.csv")
    try:
        name.touch()
    except OSError:
        pytest.skip("the file system takes text alone")
    write_curve(name, T0 + 5 * PERIOD, np.random.default_rng(3))
    settings = Settings(target={"planet_file": planet_file(tmp_path)})
    out = tmp_path / "out"
    joined = join_season([name], settings, out, Told(filters=("V",)))
    assert len(joined.found) == 1
    assert "caf?.csv" in (out / "nights.csv").read_text()
    assert "caf" in (out / "report.html").read_text()


def test_light_of_one_space_telescope_counts_once_however_it_was_averaged(tmp_path):
    planet = planet_of(period_days=30.0)
    for cadence in (300.0, 1800.0):
        sector = observe(3, cadence_s=cadence, days=4.0, planet=planet, gap=False)
        write_light_curve(tmp_path / f"{cadence:.0f}.fits", sector)
    (tmp_path / "b.toml").write_text(planet_text(planet) + "[dilution]\nKepler = 0.9\n")
    settings = Settings.model_validate({"target": {"planet_file": tmp_path / "b.toml"}})
    files = [tmp_path / "300.fits", tmp_path / "1800.fits"]
    season = join_season(files, settings, tmp_path / "o", Told(exposure_s=90.0))
    (counted,) = season.found
    assert counted.exposure_s == pytest.approx(300, rel=0.01)  # of others
    assert About.DILUTION in {note.about for note in counted.fit.notes}  # told of Kepler alone
    assert [night.path.name for night in season.found] == ["300.fits"]
    assert "again" in next(night.error for night in season.nights if night.error)
