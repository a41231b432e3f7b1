"""From tables to period and minima: what is written, what is told, and what is refused."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose

import lightcurve as lc
from lightcurve.commands.period import told_of
from lightcurve.core.errors import FitError, InputError
from lightcurve.core.times import bjd_tdb, hjd_utc
from lightcurve.tables.light_curves import ColumnChoice
from lightcurve.variables.series import read_series
from sim_variable import contact, write_table

T0, PERIOD, NOISE = 2459000.3, 0.4123, 0.006
PLACE = (31.0, 46.7)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(6)
    for day in (0, 1, 5, 12):
        time = T0 + day + np.arange(-0.12, 0.12, 3 / 1440)
        flux = contact((time - T0) / PERIOD) + rng.normal(0, NOISE, len(time))
        write_table(folder / f"n{day}.csv", time, flux * (1 + 0.004 * day), NOISE)
    return folder


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_minima_of_many_nights(tables, tmp_path) -> None:
    found = lc.time_minima([tables], tmp_path, period=PERIOD, epoch=T0, place=PLACE)
    assert len(found.minima) >= 4
    half = (np.array([one.time for one in found.minima]) - T0) / PERIOD * 2
    assert np.abs(half - np.rint(half)).max() < 0.01
    rows = read(tmp_path / "minima.csv")
    for row, number in zip(rows, np.rint(half), strict=True):
        assert row["kind"] == ("secondary" if number % 2 else "primary")
        assert abs(float(row["o_minus_c_minutes"])) < 5
        # The light travels from the Sun's centre or the barycentre: seconds, beside TDB and UTC.
        late = (float(row["time"]) - float(row["hjd_utc"])) * 86400
        jd = float(row["time"])
        assert late == pytest.approx(
            float(bjd_tdb(jd, *PLACE, None) - hjd_utc(jd, *PLACE, None)) * 86400, abs=0.1
        )
    told = json.loads((tmp_path / "minima.json").read_text())
    assert told["star"] == "n0.csv and 3 more"
    assert (tmp_path / "figures" / "minima.png").stat().st_size > 10_000


def test_the_period_of_many_nights(tables, tmp_path) -> None:
    found = lc.find_period([tables], tmp_path, shortest=0.15, longest=3, boxes=False, name="AB Cyg")
    best = found.search.best
    assert abs(best.period - PERIOD) < 4 * best.error
    told = json.loads((tmp_path / "period.json").read_text())
    assert told["best"]["period_days"] == best.period
    assert told["star"] == "AB Cyg"
    assert told["levels"] == 4
    folded = read(tmp_path / "folded.csv")
    off = [float(row["rel_flux"]) - float(row["model"]) for row in folded]
    assert np.std(off) < 2 * NOISE


def test_what_cannot_be_is_refused(tables, tmp_path) -> None:
    with pytest.raises(InputError, match="no such file"):
        lc.find_period([tables / "none"], tmp_path)
    flat = T0 + np.arange(0, 0.2, 0.002)
    steady = np.random.default_rng(1).normal(1, NOISE, len(flat))
    quiet = write_table(tmp_path / "q.csv", flat, steady, NOISE)
    with pytest.raises(InputError, match="positive"):
        lc.time_minima([quiet], tmp_path / "out", period=0.0)
    for period, epoch in ((None, T0), (PERIOD, 0.3), (PERIOD, float("nan"))):
        with pytest.raises(InputError, match="--epoch"):
            lc.time_minima([quiet], tmp_path / "out", period=period, epoch=epoch)
    with pytest.raises(FitError, match="six sigma"):
        lc.time_minima([quiet], tmp_path / "out")


@pytest.mark.parametrize("column", ["HJD", "BJD"])
def test_times_at_the_sun_of_no_scale_are_asked_about(column, tables, tmp_path) -> None:
    table = tmp_path / "n.csv"
    table.write_text((tables / "n0.csv").read_text().replace("BJD_TDB", column))
    with pytest.raises(InputError, match=f"{column.lower()}_utc"):
        read_series([table])
    known = read_series([table], ColumnChoice(time_kind=f"{column.lower()}_utc"), star=PLACE)
    told = read_series([tables / "n0.csv"]).time
    # A barycentric UTC becomes TDB; a heliocentric one the observer's, from which it comes back.
    if column == "BJD":
        assert_allclose((known.time - told) * 86400, 69.2, atol=0.1)
    else:
        assert np.abs((known.time - told) * 86400).max() > 20
        back = [known.heliocentric(t) for t in known.time]
        assert_allclose((np.array(back) - told) * 86400, 0, atol=0.01)


def test_runs_of_two_stars_are_not_joined(tmp_path) -> None:
    for name, ra in (("a", 31.0), ("b", 31.1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "lightcurve.csv").write_text("bjd_tdb,rel_flux,rel_flux_err\n")
        record = f"[night]\nra_deg = {ra}\ndec_deg = 46.7\n"
        (tmp_path / name / "run.toml").write_text(record)
    with pytest.raises(InputError, match="degrees from"):
        read_series([tmp_path])


def test_a_table_without_header_is_read_by_names(tables, tmp_path) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_text((tables / "n0.csv").read_text().split("\n", 1)[1])
    told = told_of("", None, None, ("t", "bjd_tdb", "f", "", "e", "t, f,e", "T1"))
    known = read_series([tables / "n0.csv"])
    assert_allclose(read_series([bare], told.choice).error, known.error)
    assert_allclose(read_series([bare], told.choice).time, known.time)
