"""Plans, what they expect of a night, and what they leave behind."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from lightcurve.core.columns import LIGHTCURVE, STARS
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings, make_settings
from lightcurve.tables.columns import write_table
from lightcurve.tonight.calendar import calendar_text, escaped, folded
from lightcurve.tonight.precision import by_photons, fit_terms, of_runs
from lightcurve.tonight.story import plan_ahead
from sim_season import planet_file
from typed import run

NOW = datetime(2026, 11, 30, 18, tzinfo=UTC)
SITE = "31.9633,-111.6,2120"


def unfolded(text: str) -> list[tuple[str, str]]:
    """Read iCalendar by the rules of RFC 5545: names and values of its lines."""
    assert text.endswith("\r\n")
    assert not re.search(r"(?<!\r)\n|\r(?!\n)", text)
    assert max(len(line.encode()) for line in text.split("\r\n")) <= 75
    lines = re.sub("\r\n[ \t]", "", text).removesuffix("\r\n").split("\r\n")
    pairs = [tuple(line.split(":", 1)) for line in lines]
    assert all(re.fullmatch(r"[A-Z-]+", name) for name, _ in pairs)
    return [(name, re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], value))
            for name, value in pairs]  # fmt: skip


def test_products_say_the_same(tmp_path: Path) -> None:
    plan = plan_ahead(
        Settings(), site="Kitt Peak", planets=("HAT-P-32 b", "WASP-6"), zone="America/Phoenix",
        out=tmp_path / "plan", now=NOW,
    )  # fmt: skip
    (night,) = plan.nights
    assert [one.planet.name for one in night.chances] == ["HAT-P-32 b", "WASP-6 b"]
    content = json.loads((tmp_path / "plan" / "tonight.json").read_text())
    first = content["nights"][0]["transits"][0]
    assert first["mid_local"] == "2026-11-30T22:14:03-0700"
    assert first["mid_utc"] == "2026-12-01T05:14:03Z"
    events = unfolded((tmp_path / "plan" / "tonight.ics").read_bytes().decode())
    values = dict(events)
    assert [events[0], events[-1]] == [("BEGIN", "VCALENDAR"), ("END", "VCALENDAR")]
    assert values["DTSTAMP"] == "20261130T180000Z"
    assert values["VERSION"] == "2.0"
    assert len({value for name, value in events if name == "UID"}) == 2
    starts = [value for name, value in events if name == "DTSTART"]
    assert starts[0] == re.sub("[-:]", "", first["first_utc"])
    assert ("SUMMARY", "Transit of HAT-P-32 b") in events
    assert (tmp_path / "plan" / "2026-11-30.png").stat().st_size > 10_000
    rows = (tmp_path / "plan" / "tonight.csv").read_text().splitlines()
    assert len(rows) == 3


def test_planets_of_other_letters_are_events_of_their_own() -> None:
    plan = plan_ahead(Settings(), site="Kitt Peak", planets=("HAT-P-32 b",), now=NOW)
    chance = plan.nights[0].chances[0]
    letters = "\N{GREEK SMALL LETTER ALPHA}", "\N{GREEK SMALL LETTER BETA}"
    named = [replace(chance, planet=replace(chance.planet, name=f"{a} Cen b")) for a in letters]
    events = unfolded(calendar_text([(one, "") for one in named], plan.site, NOW))
    uids = [value for name, value in events if name == "UID"]
    assert len(set(uids)) == 2
    assert all(uid.isascii() for uid in uids)


def test_text_of_calendars_is_escaped_and_folded_between_letters() -> None:
    assert escaped("a;b,c\\d\nline") == "a\\;b\\,c\\\\d\\nline"
    line = "SUMMARY:" + "\N{GREEK SMALL LETTER ALPHA}" * 90
    parts = list(folded(line))
    assert all(len(part.encode()) <= 75 for part in parts)
    assert parts[0] + "".join(part[1:] for part in parts[1:]) == line


def test_orders_and_their_limits() -> None:
    def names(sort: str) -> list[str]:
        plan = plan_ahead(
            Settings(), site=SITE, planets=("HAT-P-32", "WASP-6", "K2-29"), sort=sort, now=NOW
        )
        return [one.planet.name for one in plan.nights[0].chances]

    assert names("time") == ["WASP-6 b", "HAT-P-32 b", "K2-29 b"]
    assert names("name") == ["HAT-P-32 b", "K2-29 b", "WASP-6 b"]
    assert names("score")[0] == "HAT-P-32 b"
    for wrong in ({"sort": "luck"}, {"nights": 0}, {"zone": "Nowhere/There"}, {"site": "Nowhere"}):
        with pytest.raises(InputError):
            plan_ahead(Settings(), **{"site": SITE, **wrong})
    with pytest.raises(InputError):
        plan_ahead(Settings())


def test_sites_of_settings_serve(tmp_path: Path) -> None:
    told = make_settings({"site": {"latitude_deg": 31.0, "longitude_deg": 249.0}})
    own = make_settings({"equipment": {"site": {"latitude_deg": 1.0, "longitude_deg": 2.0}}})
    planet = (str(planet_file(tmp_path)),)
    assert plan_ahead(told, planets=planet, now=NOW).site.longitude_deg == -111.0
    assert plan_ahead(own, planets=planet, now=NOW).site.latitude_deg == 1.0
    plan = plan_ahead(told, planets=planet, nights=3, date="2026-02-01")
    assert [night.sky.evening for night in plan.nights] == [
        "2026-02-01",
        "2026-02-02",
        "2026-02-03",
    ]


def test_terms_of_noise_are_found_again() -> None:
    faint = 10 ** np.linspace(-0.4, 1.2, 40)
    faint[0] = 1.0
    true = np.array([4e-6, 3e-7, 2e-6])
    scatter = np.sqrt(true[0] * faint + true[1] * faint**2 + true[2])
    assert fit_terms(faint, scatter) == pytest.approx(true, rel=1e-6)
    noisy = scatter * (1 + 0.03 * np.random.default_rng(1).standard_normal(40))
    found = fit_terms(faint, noisy)
    told = np.sqrt(found[0] * faint + found[1] * faint**2 + found[2])
    assert told == pytest.approx(scatter, rel=0.1)
    assert fit_terms(np.ones(1), np.array([0.01])).sum() == pytest.approx(1e-4)


def make_run(folder: Path, rng: np.random.Generator) -> None:
    """A run of HAT-P-32, G 11.13: 2 mmag a minute; comparison stars have photon noise."""
    folder.mkdir(parents=True)
    n, jd = 400, 2461000.5 + np.arange(400) / 1440
    rows = [
        {"file": f"{k}.fits", "jd_utc": jd[k], "bjd_tdb": jd[k], "rel_flux": flux,
         "rel_flux_err": 0.002, "flags": 0}
        for k, flux in enumerate(1 + 0.002 * rng.standard_normal(n))
    ]  # fmt: skip
    write_table(folder / LIGHTCURVE.name, LIGHTCURVE, rows)
    stars = [{"star": "T1", "role": "target", "flux_ref": 1000.0, "scatter": None}] + [
        {"star": f"C{k}", "role": "comparison", "flux_ref": 1000 / faint,
         "scatter": 0.002 * np.sqrt(faint)}
        for k, faint in enumerate(np.geomspace(0.5, 8, 12))
    ]  # fmt: skip
    write_table(folder / STARS.name, STARS, stars)
    (folder / "run.toml").write_text(
        '[night]\nra_deg = 31.0428\ndec_deg = 46.6878\nexposure_s = 30.0\ntelescope = "Mine"\n'
        "[night.site]\nlatitude_deg = 31.0\nlongitude_deg = -111.0\n"
    )


def test_earlier_runs_tell_the_noise_of_stars_and_the_site(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "one", np.random.default_rng(3))
    promise = of_runs([tmp_path / "runs"], None)
    for magnitude in (10.6, 11.13, 13.0):
        expected = 0.002 * 10 ** (0.2 * (magnitude - 11.13))
        assert promise.minute(magnitude) == pytest.approx(expected, rel=0.08)
    assert np.isnan(promise.minute(None))
    # Twice the exposure with the same 30 s between: 60 of 90 s instead of 30 of 60.
    longer = of_runs([tmp_path / "runs"], 60.0)
    ratio = longer.minute(13.0) / promise.minute(13.0)
    assert ratio == pytest.approx(np.sqrt(30 / 60 * 90 / 60), rel=1e-3)
    plan = plan_ahead(Settings(), planets=("HAT-P-32",), runs=[tmp_path / "runs"], now=NOW)
    assert plan.site.longitude_deg == -111.0
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "none"):
        with pytest.raises(InputError):
            of_runs([path], None)


def test_a_larger_telescope_and_a_brighter_star_are_more_precise() -> None:
    plan = plan_ahead(Settings(), site=SITE, planets=("HAT-P-32",), now=NOW)
    small, large = (
        by_photons(make_settings({"camera": {"telescope_diameter_m": d}}), plan.site)
        for d in (0.2, 0.8)
    )
    assert small.minute(19.0) == pytest.approx(4 * large.minute(19.0), rel=0.05)  # photons
    assert small.minute(2.0) == pytest.approx(4 ** (2 / 3) * large.minute(2.0), rel=0.05)  # the air


def test_typed() -> None:
    place = ("--site", "Kitt Peak", "--date", "2026-11-30", "--planet", "HAT-P-32 b")
    said = json.loads(run("tonight", *place, "--json"))
    assert said["nights"][0]["transits"][0]["flip_minute"] == pytest.approx(117, abs=1)
    assert "HAT-P-32 b" in run("tonight", *place, "--sun", "-18")
    with pytest.raises(InputError):
        run("tonight", "--planet", "HAT-P-32 b")
    run("tonight", "--all", "--planet", "HAT-P-32 b", status=2)
