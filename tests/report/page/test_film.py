"""The film shows each frame's pictures in their cells, at one stretch, in the room there is."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from lightcurve.core.data import FrameResult, FrameStatus, Picture, Registration
from lightcurve.report.page import film
from lightcurve.report.page.film import ROOM, field_sheet, make_film

SKY, SOFT = 200.0, 4.0


def picture(values: np.ndarray, *, left=0, bottom=0, step=1, sky=SKY) -> Picture:
    """Values, ADU above the sky, on a scale of their own."""
    scale = np.arcsinh(values / SOFT)
    low, high = float(scale.min()), float(scale.max())
    grey = np.rint(1 + 254 * (scale - low) / (high - low)).astype(np.uint8)
    return Picture(grey, left, bottom, step, sky, SOFT, low, high)


def star_in(rng, shape, x, y, height, **where) -> Picture:
    rows, columns = np.indices(shape)
    light = height * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 4)
    return picture(light + rng.normal(0, SOFT, shape), **where)


def night(n: int, *, noise: int = 0, shape=(60, 80), side=30, lost: bool = False):
    rng = np.random.default_rng(noise)
    results = []
    for k in range(n):
        matrix = np.array([[1.0, 0, k], [0, 1, 2 * k]])
        results.append(
            FrameResult(
                f"{k}.fits", FrameStatus.FAILED if lost else FrameStatus.MEASURED, "",
                registration=None if lost else Registration(matrix, 9, 0.1, 0, 1, False, 0.0),
                field_picture=star_in(rng, shape, 5 + k % 60, 7, 4000, step=6, sky=SKY + k),
                target_picture=None if lost
                else star_in(rng, (side, side), 8, 21, 2000, left=k, bottom=2 * k),
            )
        )  # fmt: skip
    return results


def cells(sheet) -> np.ndarray:
    """(n, height, width) array of the sheet's cells, first row on top."""
    head, _, text = sheet["image"].partition(",")
    assert head == "data:image/webp;base64"
    grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("L"), dtype=float)
    height, width, columns = (sheet[name] for name in ("height", "width", "columns"))
    rows = grey.shape[0] // height
    assert grey.shape == (rows * height, columns * width)
    cut = grey.reshape(rows, height, columns, width).swapaxes(1, 2)
    return cut.reshape(-1, height, width)


def size_of(made) -> int:
    sheets = (made[name] for name in ("target", "field"))
    return sum(len(base64.b64decode(s["image"].partition(",")[2])) for s in sheets)


def make(results, odd=None, lost=()):
    n = len(results)
    return make_film(results, np.zeros((n, 2)), np.zeros(n, bool) if odd is None else odd, lost)


def test_each_frame_is_in_its_cell_with_its_first_row_at_the_bottom():
    made = make(night(12))
    target, field = made["target"], made["field"]
    for k in range(12):
        shown = cells(field)[field["cell"][k]]
        row, column = np.unravel_index(np.argmax(shown), shown.shape)
        assert abs(column - (5 + k)) <= 1
        assert abs(row - (59 - 7)) <= 1
        shown = cells(target)[target["cell"][k]]
        row, column = np.unravel_index(np.argmax(shown), shown.shape)
        assert (abs(column - 8) <= 1, abs(row - (29 - 21)) <= 1) == (True, True)
        assert target["corner"][target["cell"][k]] == [k, 2 * k]
    assert field["step"] == 6


def test_a_fainter_star_is_fainter_whatever_the_sky_and_the_stretch_of_its_frame():
    rng = np.random.default_rng(1)
    light = (4000.0, 2000.0, 1000.0)
    results = [
        FrameResult(f"{k}", FrameStatus.MEASURED, target_picture=star_in(
            rng, (31, 31), 15, 15, height, sky=SKY * (1 + 3 * k)))
        for k, height in enumerate(light)
    ]  # fmt: skip
    target = make(results)["target"]
    centre = [cells(target)[target["cell"][k]][14:17, 14:17].mean() for k in range(3)]
    assert centre[0] > centre[1] + 10 > centre[2] + 20
    corner = [cells(target)[target["cell"][k]][:8, :8].mean() for k in range(3)]
    assert np.ptp(corner) < 6


@pytest.mark.parametrize("n", [1, 500, 2000])
def test_the_film_keeps_to_its_room_and_shows_the_target_in_every_frame(n):
    made = make(night(n, shape=(90, 128), side=40))
    assert size_of(made) <= 1.1 * ROOM
    assert None not in made["target"]["cell"]
    shown = [k for k, cell in enumerate(made["field"]["cell"]) if cell is not None]
    assert len(shown) == 1 if n == 1 else np.diff(shown).max() < n / 8


def test_lost_and_odd_frames_come_first(monkeypatch):
    monkeypatch.setattr(film, "ROOM", 60_000)
    odd = np.zeros(300, bool)
    odd[[17, 131, 263]] = True
    made = make(night(300), odd, night(4, lost=True))
    field = made["field"]
    assert None not in field["lost"]
    assert all(field["cell"][k] is not None for k in (17, 131, 263))
    assert None in field["cell"]
    assert len({*field["lost"], *[c for c in field["cell"] if c is not None]}) == len(
        field["corner"]
    )


def test_a_night_without_pictures_has_no_film_and_one_with_some_has_these():
    bare = [FrameResult(f"{k}", FrameStatus.MEASURED) for k in range(3)]
    assert make(bare) is None
    made = make([*bare, *night(2)])
    assert made["target"]["cell"] == [None, None, None, 0, 1]
    assert make(bare, lost=night(2, lost=True))["field"]["lost"] == [0, 1]


@pytest.mark.parametrize("shape", [(50, 65), (500, 650), (512, 512)])
def test_the_sky_is_dark_though_some_columns_have_none(shape):
    values = np.random.default_rng(5).normal(0, SOFT, shape)
    values[:, [0, shape[1] // 2]] = -40 * SOFT
    (shown,) = cells(field_sheet(picture(values)))
    assert 5 < np.median(shown) < 60


def test_stars_show_on_a_sky_that_slopes():
    rng = np.random.default_rng(6)
    values = rng.normal(0, SOFT, (90, 120)) - 300 * np.linspace(-1, 1, 120) ** 2
    values[20:70:10, 20:110:10] += 40 * SOFT
    (shown,) = cells(field_sheet(picture(values)))
    places = np.ix_(range(69, 19, -10), range(20, 110, 10))
    assert (shown[places] - np.roll(shown, 4, axis=1)[places]).min() > 12


def test_pictures_without_any_value_are_laid_out_too():
    blank = Picture(np.zeros((9, 9), np.uint8), 0, 0, 1, 0.0, 1.0, 0.0, 1.0)
    results = [FrameResult("a", FrameStatus.MEASURED, field_picture=blank, target_picture=blank)]
    made = make(results)
    assert cells(made["target"]).max() < 20
    assert field_sheet(blank)["columns"] == 1
