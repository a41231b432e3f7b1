"""The record of a run gives back what it was given, and keeps a second run out."""

from __future__ import annotations

import sqlite3
import zlib

import numpy as np
import pytest

from lightcurve.core.data import Exposure, FrameResult, Overhead, Registration, Site, StarPhotometry
from lightcurve.core.errors import InputError
from lightcurve.night.store import NAME, decode_result, encode_result, open_store


def some_result(rng: np.random.Generator) -> FrameResult:
    star, cube = (3,), (3, 2)
    shapes = [star, star, *[cube] * 4, *[star] * 8, cube]
    photometry = StarPhotometry(*(rng.normal(size=shape) for shape in shapes))
    exposure = Exposure(
        overhead=(
            Overhead("HA", "hour angle", -3.0, -3.0),
            Overhead("AIRMASS", "altitude", 40, 41),
        ),
        kind="light",
        mid_jd_utc=2458107.5657786,
        site=Site(31.68, -110.88, 1268.0, "Whipple"),
        shape=(500, 650),
        sources={"mid_jd_utc": "header UT-OBS"},
        warnings=("odd",),
    )
    registration = Registration(rng.normal(size=(2, 3)), 30, 0.1, 0.5, 1.0, False, 1e-30)
    return FrameResult(
        "a.fits", "measured", "", exposure, registration, 40, 1.0, 2.0, float("nan"), photometry
    )


def assert_same(one: object, two: object) -> None:
    for name in one.__slots__:
        left, right = getattr(one, name), getattr(two, name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
        elif hasattr(left, "__slots__"):
            assert_same(left, right)
        else:
            assert left == right or (left != left and right != right)  # noqa: PLR0124


def test_round_trip_keeps_every_bit():
    result = some_result(np.random.default_rng(1))
    assert_same(result, decode_result(encode_result(result)))


def test_store_returns_only_what_fits_the_key(tmp_path):
    result = some_result(np.random.default_rng(2))
    with open_store(tmp_path) as store:
        store.put(tmp_path / "a.fits", "recipe one", result)
    with open_store(tmp_path) as store:
        assert_same(store.get(tmp_path / "a.fits", "recipe one"), result)
        assert store.get(tmp_path / "a.fits", "recipe two") is None
        assert store.get(tmp_path / "b.fits", "recipe one") is None


def with_sum(data: bytes) -> bytes:
    return data + zlib.crc32(data).to_bytes(4, "big")


def test_what_another_version_kept_is_measured_anew_and_what_is_damaged_is_named(
    tmp_path, monkeypatch
):
    result, place = some_result(np.random.default_rng(3)), tmp_path / "a.fits"
    whole = encode_result(result)
    other = with_sum(whole[:-4].replace(b'"mid_jd_utc":', b'"middle_utc":', 1))
    with open_store(tmp_path) as store:
        monkeypatch.setattr("lightcurve.night.store.encode_result", lambda _: other)
        store.put(place, "recipe", result)
        assert store.get(place, "recipe") is None
        monkeypatch.setattr("lightcurve.night.store.encode_result", lambda _: whole[:-5])
        store.put(place, "recipe", result)
        with pytest.raises(InputError, match="damaged"):
            store.get(place, "recipe")


def test_a_second_run_in_the_same_folder_is_refused(tmp_path):
    with open_store(tmp_path), pytest.raises(InputError, match="another run"):
        open_store(tmp_path).__enter__()


def test_a_file_that_is_no_record_is_named_and_let_go(tmp_path, monkeypatch):
    connect, made = sqlite3.connect, []
    monkeypatch.setattr(
        sqlite3, "connect", lambda *given, **more: made.append(connect(*given, **more)) or made[0]
    )
    (tmp_path / NAME).write_bytes(b"not a database, but long enough to be taken for one" * 40)
    with pytest.raises(InputError, match="not a record"):
        open_store(tmp_path).__enter__()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        made[0].execute("SELECT 1")
