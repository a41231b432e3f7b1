"""The quality of frames: what was put in is measured, and thresholds select with their reasons."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.night.quality import judge_folder
from lightcurve.phot.shapes import REGIONS
from renderer import NightSpec, render_night
from sim import tiny_night
from typed import run

SHAPE = (240, 300)


def plain_frame(
    path: Path,
    k: int,
    *,
    sigma: tuple[float, float] = (1.6, 1.6),
    angle: float = 0.0,
    wider_to_the_right: float = 0.0,
    light: float = 1.0,
    sky: float = 200.0,
    slope: float = 0.0,
    shift: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Sixty stars in plain numpy, elongated along `angle`, degrees from +x towards +y."""
    rng = np.random.default_rng(100 + k)
    y, x = np.indices(SHAPE)
    image = sky + slope * x / SHAPE[1]
    places = np.random.default_rng(3)
    spots = [(30.0 + 40 * i, 25.0 + 38 * j) for i in range(7) for j in range(6)]
    turn = np.radians(angle)
    for node_x, node_y in spots:
        at_x, at_y = node_x + places.uniform(-9, 9), node_y + places.uniform(-9, 9)
        peak = places.uniform(2000, 20000) * light
        wider = 1 + wider_to_the_right * at_x / SHAPE[1]
        u, v = x - at_x - shift[0], y - at_y - shift[1]
        along, across = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
        image = image + peak / wider**2 * np.exp(
            -((along / sigma[0]) ** 2 + (across / sigma[1]) ** 2) / 2 / wider**2
        )
    adu = rng.poisson(image) + rng.normal(0, 5, SHAPE) + 300
    header = fits.Header({"IMAGETYP": "Light Frame", "EXPTIME": 30.0})
    header["DATE-OBS"] = f"2024-01-01T20:{k:02d}:00"
    fits.PrimaryHDU(np.clip(np.rint(adu), 0, 65535).astype(np.uint16), header).writeto(path)


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing: half of the work here, and who wants its numbers looks at none of it."""
    for name in ("save_quality", "save_field_map"):
        monkeypatch.setattr(f"lightcurve.night.quality.{name}", lambda *_: None)


def judged(folder: Path, **options: object) -> list[dict]:
    return judge_folder(folder, Settings(), folder.with_name("q"), **options)


def test_width_shape_and_pattern_are_those_put_in(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for k, angle in enumerate((0.0, 30.0, 45.0, 90.0, 135.0)):
        plain_frame(raw / f"{k}.fits", k, sigma=(2.4, 1.6), angle=angle)
    rows = judged(raw)
    for row, angle in zip(rows, (0.0, 30.0, 45.0, 90.0, 135.0), strict=True):
        assert row["fwhm_px"] == pytest.approx(2.3548 * np.sqrt(2.4 * 1.6), rel=0.03)
        assert row["ellipticity"] == pytest.approx(1 - 1.6 / 2.4, abs=0.03)
        off = (row["angle_deg"] - angle + 90) % 180 - 90
        assert abs(off) < 4
        assert row["odd"] == "trailed stars"
        assert all(row[f"ellipticity_{name}"] > 0.25 for name in REGIONS)
    assert all((tmp_path / "q" / name).exists() for name in ("quality.png", "field.png"))


@pytest.mark.usefixtures("unseen")
def test_round_stars_that_widen_over_the_field(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for k in range(3):
        plain_frame(raw / f"{k}.fits", k, wider_to_the_right=0.5, slope=60.0)
    for row in judged(raw):
        assert row["ellipticity"] < 0.02
        assert row["fwhm_low_left"] < row["fwhm_centre"] < row["fwhm_high_right"]
        ratio = (1 + 0.5 * 0.75) / (1 + 0.5 * 0.25)
        assert row["fwhm_high_right"] / row["fwhm_high_left"] == pytest.approx(ratio, rel=0.06)
        assert row["sky_gradient_adu"] == pytest.approx(60, abs=5)
        assert row["sky_adu"] == pytest.approx(530, abs=5)


def test_the_night_is_told_and_its_worst_frames_are_odd(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    odd = {
        4: ("wide stars", {"sigma": (3.0, 3.0), "light": 0.28}),
        5: ("dim", {"light": 0.3}),
        6: ("bright sky", {"sky": 900.0}),
        7: ("stars jumped", {"shift": (25.0, 10.0)}),
    }
    for k in range(10):
        more = odd.get(k, ("", {}))[1]
        plain_frame(raw / f"{k}.fits", k, **{"shift": (0.5 * k, -0.3 * k)} | more)
    rows = judged(raw)
    for k, row in enumerate(rows):
        assert odd.get(k, ("",))[0] in row["odd"]
        if k not in odd and k != 8:  # the way back is a jump too
            assert row["odd"] == ""
            assert row["transparency"] == pytest.approx(1, abs=0.02)
            first = rows[0]["shift_x_px"], rows[0]["shift_y_px"]
            assert row["shift_x_px"] - first[0] == pytest.approx(0.5 * k, abs=0.1)
            assert row["shift_y_px"] - first[1] == pytest.approx(-0.3 * k, abs=0.1)
    assert rows[5]["transparency"] == pytest.approx(0.3, rel=0.05)


@pytest.mark.usefixtures("unseen")
def test_a_sky_that_was_taken_off_is_not_bright(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for k in range(6):
        path = raw / f"{k}.fits"
        plain_frame(path, k)
        header, left = fits.getheader(path), 60.0 if k == 3 else -1.0 - 0.2 * k
        for keyword in ("BZERO", "BSCALE"):
            header.remove(keyword, ignore_missing=True)
        pixels = (fits.getdata(path) - (500.0 - left)).astype(np.float32)
        fits.writeto(path, pixels, header, overwrite=True)
    assert [row["odd"] for row in judged(raw)] == ["", "", "", "bright sky", "", ""]


@pytest.mark.usefixtures("unseen")
def test_two_renderers_agree_with_their_truth(tmp_path: Path) -> None:
    night = tmp_path / "night"
    _, truth = tiny_night(
        night, n_frames=6, shape=(200, 240), n_stars=40, n_bias=3, n_flat=3, n_dark=3
    )
    rows = judge_folder(night, Settings(), tmp_path / "q1")
    # The Gaussian that fits the sums of rows of a Moffat profile is wider, all alike.
    wider = np.array([row["fwhm_px"] for row in rows]) / truth.conditions.fwhm_px
    np.testing.assert_allclose(wider, 1.15, atol=0.03)
    second = tmp_path / "second"
    second.mkdir()
    spec = NightSpec(
        n_frames=6, shape=(220, 260), n_bias=3, n_dark=3, n_flat=3, trail_px=6.0,
        trail_angle_deg=30.0, transit=False,
    )  # fmt: skip
    render_night(spec, second, np.random.default_rng(2))
    for row in judge_folder(second, Settings(), tmp_path / "q2"):
        assert row["ellipticity"] > 0.3
        assert "trailed stars" in row["odd"]


@pytest.mark.parametrize("rule", ["fwhm < 4", "fwhm_px 4", "fwhm_px < 4e", "fwhm_px = 4"])
def test_rules_that_are_none_are_refused(rule: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--keep"):
        judge_folder(tmp_path, Settings(), tmp_path / "q", keep=[rule])


def test_the_table_selects_frames_of_a_run_and_keeps_the_reasons(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "q"
    raw.mkdir()
    for k in range(6):
        plain_frame(raw / f"{k}.fits", k, light=0.4 if k == 2 else 1.0, sky=150.0 + 40 * k)
    odd = judge_folder(raw, Settings(), tmp_path / "odd", drop_odd=True)
    assert [row["use"] for row in odd] == ["yes", "yes", "no", "yes", "yes", "yes"]
    said = json.loads(
        run("calib", "quality", raw, "-o", out, "--keep", "transparency > 0.8", "--keep",
            "sky_adu<=620", "--json")
    )  # fmt: skip
    assert [row["use"] for row in said] == ["yes", "yes", "no", "yes", "yes", "no"]
    assert said[2]["transparency"] == pytest.approx(0.4, rel=0.03)
    assert said[2]["reason"].startswith("transparency is ")
    with (out / "quality.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["use"] for row in table] == [row["use"] for row in said]
    inventory = take_inventory(raw, manifest=out / "quality.csv")
    left_out = {entry.name: entry.reason for entry in inventory.entries if entry.status != "ok"}
    assert left_out == {row["file"]: row["reason"] for row in said if row["use"] == "no"}
