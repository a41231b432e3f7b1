"""Images added, subtracted, multiplied and divided: numbers, masks, units and headers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.calib.arithmetic import image_arithmetic
from lightcurve.core.errors import FrameError, InputError
from lightcurve.core.flags import PixelFlag


def image(path: Path, pixels: np.ndarray, bad: np.ndarray | None = None, **cards: object) -> Path:
    hdus = [fits.PrimaryHDU(pixels, fits.Header(cards))]
    hdus += [] if bad is None else [fits.ImageHDU(bad, name="BADPIX")]
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.mark.parametrize(
    ("word", "expected"),
    [("add", lambda a, b: a + b), ("SUB", lambda a, b: a - b), ("mul", lambda a, b: a * b),
     ("div", lambda a, b: a / b)],
)  # fmt: skip
@pytest.mark.parametrize("by_image", [True, False])
def test_numbers_are_those_of_arithmetic(word, expected, by_image, tmp_path):
    rng = np.random.default_rng(1)
    a = rng.integers(0, 65535, (20, 30)).astype(np.uint16)  # stored with BZERO
    b = rng.uniform(0.5, 1.5, (20, 30)).astype(np.float32) if by_image else 2.5
    one = image(tmp_path / "a.fits", a, OBJECT="WASP-12", EXPTIME=60.0)
    other = image(tmp_path / "b.fits", b) if by_image else 2.5
    found, notes = image_arithmetic(one, word, other, tmp_path / "c.fits")
    header = fits.getheader(tmp_path / "c.fits")
    done = fits.getdata(tmp_path / "c.fits")
    assert done.dtype == np.dtype(">f4")
    np.testing.assert_allclose(done, expected(a.astype(float), b), rtol=1e-6, atol=1e-3)
    assert header["OBJECT"] == "WASP-12"
    assert "BZERO" not in header
    assert f"a.fits {word.lower()} {'b.fits' if by_image else '2.5'}" in str(header["HISTORY"])
    assert found["bad"].value == 0
    assert not notes


def test_masks_join_and_what_has_no_value_is_nan_and_marked(tmp_path):
    a, b = np.full((5, 6), 7.0), np.ones((5, 6))
    b[1, 2], a[3, 3] = 0, np.nan
    bad_a, bad_b = np.zeros((2, 5, 6), np.uint8)
    bad_a[0, 0], bad_b[4, 5] = PixelFlag.HOT, PixelFlag.DEAD
    found, _ = image_arithmetic(
        image(tmp_path / "a.fits", a, bad_a), "div", image(tmp_path / "b.fits", b, bad_b),
        tmp_path / "c.fits",
    )  # fmt: skip
    done, bad = fits.getdata(tmp_path / "c.fits"), fits.getdata(tmp_path / "c.fits", 1)
    assert np.argwhere(np.isnan(done)).tolist() == [[1, 2], [3, 3]]
    assert bad[0, 0] == PixelFlag.HOT
    assert bad[4, 5] == PixelFlag.DEAD
    assert bad[1, 2] == bad[3, 3] == PixelFlag.NOT_FINITE
    assert found["bad"].value == np.count_nonzero(bad) == 4
    assert found["median"].value == 7


@pytest.mark.parametrize(
    ("units", "word", "unit"),
    [(("adu", "ADU"), "sub", "adu"), (("adu", ""), "add", "adu"), (("adu", "adu"), "div", "none"),
     (("adu", ""), "div", "adu"), (("adu", "s"), "div", "adu / (s)"),
     (("adu", "electron"), "sub", None)],
)  # fmt: skip
def test_units_are_heeded(units, word, unit, tmp_path):
    paths = [
        image(tmp_path / f"{k}.fits", np.ones((4, 4)), **({"BUNIT": text} if text else {}))
        for k, text in enumerate(units)
    ]
    if unit is None:
        with pytest.raises(InputError, match=r"in adu.*in electron"):
            image_arithmetic(paths[0], word, paths[1], tmp_path / "c.fits")
        return
    found, _ = image_arithmetic(paths[0], word, paths[1], tmp_path / "c.fits")
    assert found["unit"].value == unit


def test_headers_that_disagree_are_told(tmp_path):
    one = image(tmp_path / "a.fits", np.ones((4, 4)), EXPTIME=60.0, FILTER="V")
    other = image(tmp_path / "b.fits", np.ones((4, 4)), EXPTIME=30.0, FILTER="V")
    _, notes = image_arithmetic(one, "sub", other, tmp_path / "c.fits")
    assert [note.text.split(":")[0] for note in notes] == ["exposure_s"]


def test_what_does_not_go_together_is_refused(tmp_path):
    one = image(tmp_path / "a.fits", np.ones((4, 6)))
    other = image(tmp_path / "b.fits", np.ones((4, 4)))
    with pytest.raises(InputError, match=r"a\.fits is 6 x 4 px, b\.fits 4 x 4 px"):
        image_arithmetic(one, "sub", other, tmp_path / "c.fits")
    with pytest.raises(InputError, match="replace"):
        image_arithmetic(one, "sub", 1.0, one)
    with pytest.raises(InputError, match="'minus' is none of add, sub"):
        image_arithmetic(one, "minus", 1.0, tmp_path / "c.fits")
    (tmp_path / "odd.fits").write_text("no image")
    with pytest.raises(FrameError, match="cannot be read"):
        image_arithmetic(tmp_path / "odd.fits", "sub", 1.0, tmp_path / "c.fits")
    with pytest.raises(FrameError, match=r"gone\.fits"):
        image_arithmetic(one, "sub", tmp_path / "gone.fits", tmp_path / "c.fits")
    assert not (tmp_path / "c.fits").exists()


@pytest.mark.parametrize(("word", "number"), [("div", 0.0), ("mul", np.nan), ("add", np.inf)])
def test_a_number_that_leaves_nothing_is_refused(word: str, number: float, tmp_path: Path) -> None:
    first = image(tmp_path / "a.fits", np.ones((4, 5)))
    with pytest.raises(InputError, match="no pixel"):
        image_arithmetic(first, word, number, tmp_path / "out.fits")
    assert not (tmp_path / "out.fits").exists()
