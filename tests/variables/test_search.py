"""Stars that vary are found among those of a field, and few that do not."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

import lightcurve as lc
from lightcurve.core.errors import InputError
from lightcurve.night.keep import keep_night
from lightcurve.variables.field import compare_all, join_runs
from lightcurve.variables.search import Sign, search_field
from sim_field import field_times, simulate_field
from sim_variable import eclipses


def test_what_varies_is_found_and_nothing_else() -> None:
    rng = np.random.default_rng(1)
    time = field_times(6, 60)
    vary = {
        5: 1 + 0.03 * np.sin(2 * np.pi * time / 0.31),
        12: 1 + 0.1 * np.sin(2 * np.pi * time / 7.3),
        20: eclipses(time / 0.87, (0.3, 0.1)),
    }
    searched = search_field(simulate_field(rng, vary=vary))
    assert {one.column for one in searched.variables} == set(vary)
    assert not set(vary) & set(searched.compared.members.tolist())
    for one in searched.variables:
        assert one.scatter > 1.5 * one.expected
        assert not one.once
        assert not one.notes
    # What is at hand of all is at one level: the slow one's is that which was put in.
    slow = searched.compared.relative[:, 12]
    assert np.corrcoef(slow, vary[12])[0, 1] > 0.98


def test_quiet_fields_have_none() -> None:
    found = [
        len(search_field(simulate_field(np.random.default_rng(seed), red=0.002)).variables)
        for seed in range(6)
    ]
    assert sum(found) <= 1  # of 360


def test_one_event_is_told_from_what_repeats() -> None:
    time = field_times(2, 80)
    once = np.where((time > 0.4) & (time < 0.43), 0.7, 1.0)
    cut = np.where((time > 3.47) & (time < 3.5), 0.7, 1.0)
    field = simulate_field(np.random.default_rng(2), nights=2, frames=80, vary={7: once, 9: cut})
    good = field.good.copy()
    good[time > 3.499, 9] = False
    searched = search_field(replace(field, good=good))
    by_column = {one.column: one for one in searched.variables}
    assert set(by_column) == {7, 9}
    assert by_column[7].once
    assert not by_column[7].notes
    assert len(by_column[9].notes) == 1
    assert by_column[7].sigmas[Sign.SCATTER] > 5


def test_a_neighbour_has_the_light_of_a_variable() -> None:
    time = field_times(6, 60)
    wave = np.sin(2 * np.pi * time / 0.31)
    field = simulate_field(
        np.random.default_rng(3), vary={5: 1 + 0.2 * wave, 6: 1 + 0.1 * wave}
    )  # fmt: skip
    x, y = field.x.copy(), field.y.copy()
    x[6], y[6] = x[5] + 6, y[5]
    first, second = search_field(replace(field, x=x, y=y)).variables
    assert (first.column, second.column) == (5, 6)
    assert str(field.name[5]) in second.notes[0]


def test_runs_are_joined_by_their_stars(kept_run, tmp_path) -> None:
    night, _ = kept_run
    m = night.measurements
    star = int(np.flatnonzero(night.stars.role == "comparison")[0])
    folders = []
    for day in range(3):
        flux = m.flux * (1 + 0.3 * day)  # another transparency each night
        wave = 1 + 0.2 * np.sin(2 * np.pi * (m.bjd_tdb + day - m.bjd_tdb[0]) / 0.037)
        flux[:, star] *= wave[:, None]
        flux[:, 0] *= 1 + 0.1 * day  # and a target that brightens
        moved = replace(m, flux=flux, jd_utc=m.jd_utc + day, bjd_tdb=m.bjd_tdb + day)
        folder = tmp_path / "runs" / f"n{day}"
        folder.mkdir(parents=True)
        keep_night(folder, replace(night, measurements=moved))
        (folder / "lightcurve.csv").write_text("jd_utc\n")
        folders.append(folder)
    found = lc.find_variables([tmp_path / "runs"], tmp_path / "out", offline=True)
    field = found.field
    assert len(field.time) == 3 * len(m.file)
    assert len(field.name) == len(night.stars)
    columns = {one.column: one for one in found.searched.variables}
    name = str(night.stars.star_id[star])
    (column,) = np.flatnonzero(field.name == name)
    assert column in columns
    with (tmp_path / "out" / "candidates.csv").open(newline="") as file:
        rows = {row["star"]: row for row in csv.DictReader(file)}
    assert set(rows) == {str(field.name[k]) for k in columns}
    assert float(rows[name]["period_days"]) == pytest.approx(0.037, rel=0.02)
    with (tmp_path / "out" / "curves" / f"{name}.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == int(rows[name]["points"])
    told = json.loads((tmp_path / "out" / "variables.json").read_text())
    assert told["runs"] == ["n0", "n1", "n2"]
    target = compare_all(field).relative[:, 0]
    by_night = [np.nanmedian(target[field.night == k]) for k in range(3)]
    assert by_night[2] / by_night[0] == pytest.approx(1.2, rel=0.01)


def test_runs_of_other_filters_and_stars_are_refused(kept_run) -> None:
    night, _ = kept_run
    plan = night.measurements.plan
    moved = replace(plan, ra_deg=plan.ra_deg + 1)
    other = replace(night, measurements=replace(night.measurements, plan=moved))
    with pytest.raises(InputError, match=r"another star|no star"):
        join_runs([night, other], ["a", "b"])
    exposure = night.scene.reference.exposure
    reference = replace(night.scene.reference, exposure=replace(exposure, filter="B"))
    blue = replace(night, scene=replace(night.scene, reference=reference))
    with pytest.raises(InputError, match="filters"):
        join_runs([night, blue], ["a", "b"])
