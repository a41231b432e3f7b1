"""What an observer is shown, and warned of, while the night goes on."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from lightcurve.commands.live_screen import describe, lay_out, plot
from lightcurve.core.data import FrameResult, FrameStatus, LightCurve, Measurements
from lightcurve.core.dates import iso_from_jd, jd_from_iso
from lightcurve.core.settings import Settings
from lightcurve.curve.choose import choose_curve
from lightcurve.night.alarms import AlarmKind, find_alarms
from lightcurve.night.live import LiveLook
from lightcurve.night.live_status import Status, status_of
from lightcurve.night.watch import FolderLook
from lightcurve.setup.target import Target
from lightcurve.transit.ephemeris import make_planet, predict_transit
from sim_cube import CubeTruth, simulate_cube

N = 40
PLANET = {
    "name": "Sim b", "ra": 100.0, "dec": 0.0, "period_days": 3.0, "t0_bjd_tdb": 2460000.65,
    "rp_over_rs": 0.1, "a_over_rs": 8.0, "inclination_deg": 90.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def night() -> tuple[Measurements, LightCurve]:
    m = simulate_cube(np.ones(N), CubeTruth(n_stars=12), np.random.default_rng(2))
    return m, choose_curve(m, Settings())


def look(m: Measurements, curve: LightCurve, *, level: float = 1e9, **told: object) -> LiveLook:
    planet = make_planet(PLANET, "test")
    recipe = SimpleNamespace(shape=(1000, 1000), saturation_adu=level)
    exposure = SimpleNamespace(filter="R")
    scene = SimpleNamespace(recipe=recipe, reference=SimpleNamespace(exposure=exposure))
    results = [FrameResult(name, FrameStatus.MEASURED) for name in m.file]
    target = Target("Sim", 100.0, 0.0, "test", planet)
    return LiveLook(
        Path("run"), target, None, scene, results, m, curve, lost=told.get("lost", ()),
        changes=told.get("changes", ()),
    )  # fmt: skip


def kinds(one: LiveLook, quiet_s: float = 0.0) -> set[AlarmKind]:
    return {alarm.kind for alarm in find_alarms(one, quiet_s)}


def late(values: np.ndarray, factor: float, n: int = 3) -> np.ndarray:
    """Multiply the last rows."""
    scale = np.ones(len(values))
    scale[-n:] = factor
    return values * scale.reshape(-1, *([1] * (values.ndim - 1)))


def test_a_quiet_night_has_no_alarm(night: tuple[Measurements, LightCurve]) -> None:
    assert kinds(look(*night)) == set()


def test_each_trouble_has_its_alarm(night: tuple[Measurements, LightCurve]) -> None:
    m, curve = night
    thin = replace(curve, comparison_flux=late(curve.comparison_flux, 0.4))
    drift = np.linspace(0, 460, N)[:, None]
    peak = float(m.peak[-1, 0].max())
    troubles = {
        AlarmKind.CLOUDS: look(m, thin),
        AlarmKind.FOCUS: look(replace(m, fwhm_px=late(m.fwhm_px, 1.8)), curve),
        AlarmKind.TRAIL: look(replace(m, roundness=late(m.roundness, 0.4, 1)), curve),
        AlarmKind.EDGE: look(replace(m, x=m.x + drift), curve),
        AlarmKind.SATURATED: look(m, curve, level=0.99 * peak),
        AlarmKind.NEARLY_SATURATED: look(m, curve, level=1.1 * peak),
        AlarmKind.LOST: look(m, curve, lost=["x.fits: no star"]),
        AlarmKind.ANEW: look(m, curve, changes=("flats came",)),
    }
    for kind, one in troubles.items():
        assert kinds(one) == {kind}
    assert kinds(look(m, curve), quiet_s=3.9 * 120) == set()
    assert kinds(look(m, curve), quiet_s=4.1 * 120) == {AlarmKind.NO_FRAME}


def test_one_satellite_is_no_cloud(night: tuple[Measurements, LightCurve]) -> None:
    m, curve = night
    assert (
        kinds(look(m, replace(curve, comparison_flux=late(curve.comparison_flux, 0.1, 1)))) == set()
    )


def test_a_flip_is_no_drift_and_low_air_no_cloud() -> None:
    m = simulate_cube(np.ones(N), CubeTruth(n_stars=12, flip=True), np.random.default_rng(2))
    flipped = N // 2 + 4
    half = {name: getattr(m, name)[:flipped] for name in ("x", "y", "rotation_deg")}
    assert half["rotation_deg"][-1] == 180
    low = simulate_cube(np.ones(200), CubeTruth(n_stars=12), np.random.default_rng(2))
    for one in (m, low):
        curve = choose_curve(one, Settings())
        assert not kinds(look(one, curve)) & {AlarmKind.EDGE, AlarmKind.CLOUDS}
    assert low.airmass[-1] > 1.7
    turned = look(m, choose_curve(m, Settings()))
    assert status_of(turned, now_s=0.0).numbers["drift_px"] == pytest.approx(0.0, abs=1e-6)


def test_numbers_and_contacts(night: tuple[Measurements, LightCurve]) -> None:
    m, curve = night
    one = status_of(look(m, curve, level=2 * float(m.peak[-1, 0].max())), now_s=0.0)
    assert (one.measured, one.lost, one.file) == (N, 0, m.file[-1])
    assert one.numbers["fwhm_px"] == m.fwhm_px[-1]
    assert one.numbers["saturation"] == pytest.approx(0.5)
    assert 0.5 < one.numbers["transparency"] < 1.2
    assert abs(one.numbers["check_percent"]) < 3
    transit = predict_transit(make_planet(PLANET, ""), float(np.median(m.bjd_tdb)))
    minutes = {contact.name: contact.minutes for contact in one.contacts}
    # The clock of 1970 is no clock of this night: minutes are from the last frame on.
    assert minutes["mid"] == pytest.approx(1440 * (transit.mid - m.jd_utc[-1]), abs=1e-6)
    assert minutes["egress"] - minutes["ingress"] == pytest.approx(1440 * transit.duration)
    now = (m.jd_utc[-1] - 2440587.5) * 86400 + 600
    sooner = {
        contact.name: contact.minutes for contact in status_of(look(m, curve), now_s=now).contacts
    }
    assert sooner["mid"] == pytest.approx(minutes["mid"] - 10, abs=1e-3)
    assert one.points is not None
    assert one.points.predicted is not None
    assert one.points.predicted.min() == pytest.approx(0.99, abs=1e-3)


@pytest.mark.parametrize("width", [30, 80, 200])
def test_the_screen_fits_the_terminal(night: tuple[Measurements, LightCurve], width: int) -> None:
    """Hostile names are letters, and every line is as wide as the terminal at most."""
    one = status_of(look(*night, lost=["\x1b[31mx\x07.fits: [bold]broken[/bold]"]), now_s=0.0)
    folder = FolderLook((look(*night),), files=41, growing=1, waiting="a share is away")
    console = Console(width=width, force_terminal=True, record=True, file=io.StringIO())
    console.print(lay_out(folder, [one], width))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    text = " ".join(line.strip("│ ") for line in lines)
    assert "[bold]" in text
    assert "\x07" not in text
    assert text.count("o") > N / 2


def test_the_plot_has_high_flux_above(night: tuple[Measurements, LightCurve]) -> None:
    one = status_of(look(*night), now_s=0.0)
    assert one.points is not None
    step = np.where(np.arange(N) < N // 2, 1.0, 0.9)
    drawn = plot(replace(one, points=replace(one.points, flux=step, predicted=None)), 60)
    rows = [row for row in drawn.splitlines() if "o" in row]
    assert len(rows) == 2
    assert rows[0].rindex("o") < rows[1].index("o")


def test_below_the_plot_stand_the_times_of_the_first_and_last_point(
    night: tuple[Measurements, LightCurve],
) -> None:
    m, _ = night
    one = status_of(look(*night), now_s=0.0)
    axis = plot(one, 60).splitlines()[-1]
    *ends, unit = axis.split()
    assert unit == "UTC"
    for end, k in zip(ends, (0, -1), strict=True):  # seconds are cut off
        jd = jd_from_iso(f"{iso_from_jd(float(m.jd_utc[k]))[:10]}T{end}:00")
        assert -1 / 1440 < jd - m.jd_utc[k] <= 1e-5
    assert len(axis) == 60
    assert "UTC" not in plot(replace(one, utc=""), 60)


@pytest.mark.parametrize("width", [40, 60, 100])
def test_no_number_is_parted_from_its_unit(
    night: tuple[Measurements, LightCurve], width: int
) -> None:
    one = status_of(look(*night), now_s=0.0)
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(lay_out(FolderLook(), [one], width))
    lines = [line.strip("│ ") for line in console.export_text().splitlines()]
    (text,) = describe(one)[:1]
    for item in re.split(r"[;,] ", text):
        assert len(item) > width - 4 or any(item in line for line in lines)


def test_a_night_without_a_curve_says_what_it_waits_for() -> None:
    one = Status("Sim", waiting="3 light frames")
    assert "3 light frames" in describe(one)
    assert plot(one, 80) == ""
