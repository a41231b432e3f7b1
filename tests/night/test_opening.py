"""By which frames a night is settled: the same while it grows and when all are there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightcurve.core.data import Exposure, FrameKind, Site
from lightcurve.core.errors import HeaderError, LightcurveError
from lightcurve.core.progress import each_once, silent
from lightcurve.core.settings import Settings, make_settings
from lightcurve.core.times import sun_altitude_deg
from lightcurve.frames.entries import Entry
from lightcurve.frames.inventory import Inventory, take_inventory
from lightcurve.night.opening import FEWEST, OPENING, has_opened, opening_of, why_unlike
from lightcurve.night.prepare import prepare_night, settle_by
from lightcurve.night.stock import take_stock
from lightcurve.setup.target import find_target
from sim import tiny_night

MIDNIGHT = 2460000.5
SITE = Site(latitude_deg=40.0, longitude_deg=0.0, height_m=0.0)


def lights(
    n: int,
    minutes: float = 2.0,
    *,
    begin: float = MIDNIGHT,
    site: Site | None = None,
    **fields: object,
) -> list[Entry]:
    entries = []
    for k in range(n):
        moment = begin + k * minutes / 1440
        exposure = Exposure(FrameKind.LIGHT, mid_jd_utc=moment, site=site, **fields)
        entries.append(
            Entry(Path(f"{k:04d}.fits"), f"{k:04d}.fits", FrameKind.LIGHT, exposure=exposure)
        )
    return entries


@given(
    n=st.integers(1, 60),
    minutes=st.floats(0.01, 20),
    hours=st.floats(-8, 3),
    known=st.booleans(),
)
def test_a_night_that_has_opened_stays_so(
    n: int, minutes: float, hours: float, known: bool
) -> None:
    """Whatever comes later, the frames that settle it are those of the whole night."""
    site = SITE if known else None
    night = lights(n, minutes, begin=MIDNIGHT + hours / 24, site=site)
    opened = next((k for k in range(1, n + 1) if has_opened(night[:k])), None)
    if opened is None:
        return
    first = opening_of(night[:opened])
    assert FEWEST <= len(first) <= OPENING
    for k in range(opened, n + 1):
        assert has_opened(night[:k])
        assert opening_of(night[:k]) == first


@pytest.mark.parametrize(
    ("n", "minutes", "number"),
    [(5, 2, 5), (40, 0.01, OPENING), (40, 2, OPENING), (40, 5, 13), (40, 10, 8), (40, 20, 8)],
)
def test_fifteen_or_as_many_as_an_hour_gives(n: int, minutes: float, number: int) -> None:
    assert opening_of(lights(n, minutes)) == lights(n, minutes)[:number]


def test_twilight_settles_no_night_that_gets_dark() -> None:
    evening = MIDNIGHT - 6.6 / 24  # March, at 40 N
    night = lights(120, 2, begin=evening, site=SITE)
    height = [float(sun_altitude_deg(e.exposure.mid_jd_utc, SITE)) for e in night]
    assert height[0] > -12 > height[-1]
    dark = [e for e, h in zip(night, height, strict=True) if h <= -12]
    assert opening_of(night) == dark[:OPENING]
    assert not has_opened(night[: len(night) - len(dark)])
    # Where no site is known, the first frames must do.
    assert opening_of(lights(120, 2, begin=evening)) == lights(120, 2, begin=evening)[:OPENING]


def test_nights_that_are_joined_are_settled_by_all() -> None:
    series = lights(30, 1440.0)
    assert opening_of(series) == series


def test_what_headers_have_against_the_first_frames() -> None:
    warm, cold = lights(15, temperature_c=-5.0), lights(15, temperature_c=-20.0)
    assert why_unlike(warm, [*warm, *cold, *cold])
    assert not why_unlike(cold, [*cold, *cold])
    assert not why_unlike(lights(15), lights(40))


@pytest.fixture(scope="module")
def small_night(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    folder = tmp_path_factory.mktemp("night")
    tiny_night(folder, n_frames=20, shape=(240, 260), n_stars=20, header_wcs=True)
    return take_inventory(folder, Settings())


@pytest.mark.parametrize(
    ("changes", "times"),
    [
        ({"solve": {"index": ["nothing"], "solvers": ["local"]}}, 1),
        ({"stars": {"comparisons": ["C999"]}}, 1),  # more than are measured
        ({"stars": {"comparisons": ["T1"]}}, 1),
        ({"apertures": {"radii": [500.0]}}, 1),
        ({"stars": {"comparisons": ["C120"]}}, 2),  # another reference may have as many
        ({"stars": {"comparisons": ["1,1px"]}}, 2),
    ],
)
def test_what_no_other_frame_mends_is_tried_once(
    changes: dict[str, dict[str, object]],
    times: int,
    small_night: Inventory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tried: list[int] = []

    def settle(some: Sequence[Entry], *rest: Any, **more: Any) -> Any:
        tried.append(len(some))
        return settle_by(some, *rest, **more)

    monkeypatch.setattr("lightcurve.night.prepare.settle_by", settle)
    settings = make_settings({"target": {"ra": "20.0", "dec": "30.0"}} | changes)
    target = find_target(settings.target, settings.catalogs)
    with caplog.at_level(logging.INFO), pytest.raises(LightcurveError):
        prepare_night(small_night, target, settings, tmp_path)
    assert len(tried) == times


def test_a_step_taken_twice_tells_once_what_is_the_same() -> None:
    told: list[str] = []
    log = logging.getLogger("lightcurve")
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    log.addHandler(handler)
    try:
        with each_once():
            for gain in (1, 1, 2):
                log.warning("gain: %d", gain)
        log.warning("gain: %d", 1)
    finally:
        log.removeHandler(handler)
    assert told == ["gain: 1", "gain: 2", "gain: 1"]


def test_frames_without_the_clock_that_was_named_are_not_blamed_on_the_target(
    tmp_path: Path,
) -> None:
    tiny_night(tmp_path, n_frames=3, shape=(100, 100), n_stars=3)
    settings = make_settings({"time": {"keyword": "NOSUCH"}})
    with pytest.raises(HeaderError) as told:
        take_stock(tmp_path, settings, None, manifest=None, progress=silent)
    assert "NOSUCH" in told.value.keyword + told.value.reason
