"""A table's numbers again, from the table alone: fluxes by hand, times by astropy."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.time import Time
from numpy.testing import assert_allclose
from typer.testing import CliRunner

from lightcurve.aij.read_table import read_aij_table
from lightcurve.cli import app
from lightcurve.compare.recompute import recompute_table
from lightcurve.core import times
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings, make_settings

JD = 2458107.5 + np.arange(20) * 0.01
RA, DEC, EXPTIME = 83.1, 30.5, 120.0
FULL = (
    "TIC120916706-01_20181213_LCO-SAAO-1m_ip_measurements.tbl",
    "TIC8348911-01_02032021_TRAPPIST-North_z_measurements.xls",
    "TIC8348911-01_20210328_LCO-SSO-1m0_ip_measurements.tbl",
    "TIC8348911-01_20210401_TRAPPIST-South_I+z_Measurements.txt",
    "TIC8348911-01_20210523_LCO-HAL-M3_gp_10px_measurements.tbl",
    "TIC8348911-01_20210523_LCO-HAL-M3_ip_15px_measurements.tbl",
    "TIC8348911-01_20210523_LCO-HAL-M3_rp_15px_measurements.tbl",
    "TIC8348911-01_20210523_LCO-HAL-M3_zs_15px_measurements.tbl",
    "amher.tbl",
    "deepdip_20160411.xls",
    "hj915_eclipsing_binary.tbl",
    "wasp135_20200423_ip.xls",
    "wasp3_spreadsheet_resaved.csv",
    "zzpsc_20251030.csv",
    "zzpsc_20251123.csv",
)


def astropy_bjd(jd: np.ndarray, site: EarthLocation) -> np.ndarray:
    t = Time(jd, format="jd", scale="utc", location=site)
    star = SkyCoord(RA * u.deg, DEC * u.deg)
    return (t.tdb + t.light_travel_time(star, ephemeris="builtin")).jd


def write_table(path: Path, bjd: np.ndarray) -> Path:
    rng = np.random.default_rng(1)
    columns = {"Label": [f"f{k}.fits" for k in range(len(JD))], "JD_UTC": JD, "BJD_TDB": bjd}
    columns["EXPTIME"] = np.full(len(JD), EXPTIME)
    for star in ("T1", "C2", "C3", "C4"):
        columns[f"Source-Sky_{star}"] = rng.uniform(900, 1100, len(JD))
        columns[f"Source_Error_{star}"] = rng.uniform(1, 3, len(JD))
        columns[f"RA_{star}"] = np.full(len(JD), RA / 15)
        columns[f"DEC_{star}"] = np.full(len(JD), DEC)
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join(["\t".join(columns), *("\t".join(map(str, r)) for r in rows)]))
    return path


@pytest.mark.parametrize("name", FULL)
def test_every_full_table_agrees_with_itself(shared_data: Path, name: str) -> None:
    found = recompute_table(shared_data / "aij-tables" / name, Settings())
    flux, error = found.checks
    assert flux.n_beyond == error.n_beyond == 0
    assert found.agrees is all(check.agrees for check in found.time_checks)
    assert flux.n_one_sided == error.n_one_sided == 0
    assert flux.n == len(found.table)
    assert flux.largest_relative < 3e-5
    assert error.largest_relative < 0.01


def test_tables_with_wrong_times_are_found(shared_data: Path) -> None:
    wrong = {}
    for name in FULL:
        for check in recompute_table(shared_data / "aij-tables" / name, Settings()).time_checks:
            if check.column == "BJD_TDB" and not check.agrees and abs(check.median_s) > 10:
                wrong[name] = check
    assert set(wrong) == {"hj915_eclipsing_binary.tbl", "wasp3_spreadsheet_resaved.csv"}
    found = wrong["hj915_eclipsing_binary.tbl"]
    assert found.median_s == pytest.approx(-379.5, abs=0.1)
    assert found.explanation == "as if the star were at RA = Dec = 0"
    found = wrong["wasp3_spreadsheet_resaved.csv"]  # pointed at another star, times to 43 s
    assert found.median_s == pytest.approx(-57, abs=15)
    assert "RAOBJ2K" in found.explanation


def test_other_comparison_stars_by_hand(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.tbl", JD)
    table = read_aij_table(path)
    f, e = (table.block(q) for q in ("Source-Sky", "Source_Error"))
    found = recompute_table(path, Settings(), comparisons=("C2", "C4"))
    total = f[:, 1] + f[:, 3]
    assert_allclose(found.flux, f[:, 0] / total, rtol=1e-14)
    size = np.sqrt((e[:, 0] / f[:, 0]) ** 2 + (e[:, 1] ** 2 + e[:, 3] ** 2) / total**2)
    assert_allclose(found.flux_err, found.flux * size, rtol=1e-14)
    assert found.checks == ()  # nothing in the table to compare this choice with
    of_c3 = recompute_table(path, Settings(), target="C3")
    assert of_c3.comparisons == ("C2", "C4")
    with pytest.raises(InputError, match="C9"):
        recompute_table(path, Settings(), comparisons=("C9",))


def test_bjd_is_astropy_s_with_the_site_given(tmp_path: Path) -> None:
    site = EarthLocation.from_geodetic(-110.88 * u.deg, 31.68 * u.deg, 1268 * u.m)
    bjd = astropy_bjd(JD, site)
    path = write_table(tmp_path / "t.tbl", bjd + 0.3 / 86400)
    there = {"latitude_deg": 31.68, "longitude_deg": -110.88, "height_m": 1268}
    found = recompute_table(path, make_settings({"site": there}))
    assert_allclose(found.bjd_tdb, bjd, rtol=0, atol=1e-4 / 86400)
    (check,) = found.time_checks
    assert check.agrees
    assert check.median_s == pytest.approx(0.3, abs=1e-3)
    given = make_settings({"target": {"ra": str(RA + 90), "dec": str(DEC)}, "site": there})
    (check,) = recompute_table(path, given).time_checks
    assert not check.agrees


EXPOSURE_DAYS = EXPTIME / 86400
MISTAKES = {
    "RA = Dec = 0": lambda: times.bjd_tdb(JD, 0, 0, None),
    "RA in hours were degrees": lambda: times.bjd_tdb(JD, RA / 15, DEC, None),
    "not corrected at all": lambda: JD,
    "without the light travel time": lambda: times.tdb_from_utc(JD),
    "they are HJD_UTC": lambda: times.hjd_utc(JD, RA, DEC, None),
    "on the UTC scale": lambda: times.bjd_tdb(JD, RA, DEC, None) - 69.184 / 86400,
    "start of the exposure": lambda: times.bjd_tdb(JD - EXPOSURE_DAYS / 2, RA, DEC, None),
    "added twice": lambda: times.bjd_tdb(JD + EXPOSURE_DAYS / 2, RA, DEC, None),
}


def test_a_star_that_moves_is_where_it_was_when_observed(tmp_path: Path) -> None:
    """60 arcsec in 18 years change a barycentric time by up to 0.14 s."""
    planet = tmp_path / "planet.toml"
    rate = 60_000 / ((JD.mean() - 2451545) / 365.25)
    planet.write_text(
        f"name = 'X-1 b'\nra = {RA}\ndec = {DEC}\nperiod_days = 1.3\nt0_bjd_tdb = 2458107.6\n"
        "rp_over_rs = 0.1\na_over_rs = 8.0\ninclination_deg = 88.5\n"
        f"pm_ra_mas_yr = 0\npm_dec_mas_yr = {rate}\n"
    )
    settings = make_settings({"target": {"planet_file": planet}})
    found = recompute_table(write_table(tmp_path / "t.tbl", JD), settings)
    [place] = [value for value in found.values if value.name == "coordinates"]
    assert 3600 * (place.value[1] - DEC) == pytest.approx(60, abs=0.01)
    assert "by proper motion" in place.source
    expected = times.bjd_tdb(JD, RA, DEC + 60 / 3600, None)
    assert_allclose(found.bjd_tdb, expected, rtol=0, atol=1e-3 / 86400)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_known_mistake_is_named(mistake: str, tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.tbl", MISTAKES[mistake]())
    (check,) = recompute_table(path, Settings()).time_checks
    assert not check.agrees
    assert mistake in check.explanation


def test_an_unknown_mistake_is_only_measured(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.tbl", times.bjd_tdb(JD, RA, DEC, None) + 250 / 86400)
    (check,) = recompute_table(path, Settings()).time_checks
    assert check.median_s == pytest.approx(250, abs=1e-3)
    assert check.explanation == ""


def test_the_command(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.tbl", times.bjd_tdb(JD, 0, 0, None))
    out = tmp_path / "again.csv"
    arguments = ["recompute", str(path), "--comp", "C2", "--comp", "C3", "--out", str(out)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 1
    assert "IS WRONG by" in result.stdout
    assert "as if the star were at RA = Dec = 0" in result.stdout
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = recompute_table(path, Settings(), comparisons=("C2", "C3"))
    assert_allclose([float(row["rel_flux"]) for row in rows], expected.flux)
    assert_allclose([float(row["BJD_TDB"]) for row in rows], expected.bjd_tdb)
    result = CliRunner().invoke(app, [*arguments[:2], "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert found["comparisons"] == ["C2", "C3", "C4"]
    assert (result.exit_code, found["agrees"]) == (1, False)
    assert found["times"][0]["agrees"] is False
    assert len(found["rows"]["rel_flux"]) == len(JD)
    (place,) = (value for value in found["values"] if value["name"] == "coordinates")
    assert place["value"] == pytest.approx([RA, DEC])
    assert place["unit"] == "deg"


def test_a_table_that_contradicts_itself_sets_the_status(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "Label,Source-Sky_T1,Source_Error_T1,Source-Sky_C2,Source_Error_C2,rel_flux_T1\n"
        "a,10,1,20,1,0.5\nb,12,1,20,1,0.7\n"
    )
    result = CliRunner().invoke(app, ["recompute", str(path)], catch_exceptions=False)
    assert result.exit_code == 1
    assert "rel_flux_T1: DIFFERS in 1 rows" in result.stdout
    assert "no JD_UTC in the table" in result.stdout


def test_a_public_table_with_wrong_times_sets_the_status(shared_data: Path) -> None:
    path = shared_data / "aij-tables" / "hj915_eclipsing_binary.tbl"
    result = CliRunner().invoke(app, ["recompute", str(path)], catch_exceptions=False)
    assert result.exit_code == 1
    assert "BJD_TDB: IS WRONG by -379.52 s" in result.stdout
    assert "HJD_UTC: IS WRONG by -379.77 s" in result.stdout


def test_rows_that_the_median_hides_are_counted(tmp_path: Path) -> None:
    bjd = times.bjd_tdb(JD, RA, DEC, None)
    bjd[:7] += 0.01
    path = write_table(tmp_path / "t.tbl", bjd)
    (check,) = recompute_table(path, Settings()).time_checks
    assert (check.n, check.n_beyond, check.agrees) == (20, 7, False)
    assert abs(check.median_s) < 1e-3
    assert check.most_s == pytest.approx(864, abs=1e-3)
    result = CliRunner().invoke(app, ["recompute", str(path)], catch_exceptions=False)
    assert result.exit_code == 1
    assert "BJD_TDB: IS WRONG in 7 of 20 rows" in result.stdout


def rename_times(path: Path, name: str) -> Path:
    path.write_text(path.read_text().replace("BJD_TDB", name))
    return path


def test_heliocentric_times_are_checked(tmp_path: Path) -> None:
    hjd = times.hjd_utc(JD, RA, DEC, None)
    path = rename_times(write_table(tmp_path / "t.tbl", hjd), "HJD_UTC")
    (check,) = recompute_table(path, Settings()).time_checks
    assert (check.column, check.agrees) == ("HJD_UTC", True)
    path = rename_times(write_table(tmp_path / "t.tbl", hjd + 0.5), "HJD_UTC")
    (check,) = recompute_table(path, Settings()).time_checks
    assert (check.n_beyond, check.agrees) == (20, False)
    assert check.median_s == pytest.approx(43200, abs=1e-3)


def test_times_without_a_scale_are_said_not_to_be_checked(tmp_path: Path) -> None:
    found = recompute_table(rename_times(write_table(tmp_path / "t.tbl", JD), "BJD"), Settings())
    assert found.time_checks == ()
    assert "BJD does not name its time scale: not checked" in found.notes


def test_a_table_is_not_overwritten_by_its_own_numbers(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.tbl", JD)
    before = path.read_bytes()
    with pytest.raises(InputError, match="is the table itself"):
        CliRunner().invoke(
            app, ["recompute", str(path), "--out", str(path)], catch_exceptions=False
        )
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (f"\t{DEC}", "\t146.0", "146 deg is no place in the sky"),
        ("\t120.0\t", "\t120.0\t95.0\t20.0\t", "95 20, are no place on Earth: not used"),
    ],
    ids=["declination", "latitude"],
)
def test_places_out_of_range_are_not_used(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.tbl", JD)
    text = path.read_text().replace(old, new)
    if "Earth" in words:
        text = text.replace("EXPTIME", "EXPTIME\tSITELAT\tSITELONG")
    path.write_text(text)
    assert any(words in note for note in recompute_table(path, Settings()).notes)
