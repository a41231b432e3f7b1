"""Combining exposures: against astropy's clipping, in bounded memory, in any order."""

from __future__ import annotations

import gzip
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.stats import sigma_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lightcurve.calib.combine import clipped_mean, combine, open_rows, read_rows
from lightcurve.core.errors import CalibrationError, FrameError


def plain_clipped_mean(stack, clip_sigma):
    """The rule as astropy has it: slow, the oracle of the quick kernel."""
    good = np.ma.masked_invalid(stack.astype(float))
    kept = sigma_clip(
        good, sigma=clip_sigma, maxiters=None, axis=0, cenfunc="median", stdfunc="mad_std"
    )
    std = np.ma.std(kept, axis=0, ddof=1)
    return np.ma.filled(kept.mean(axis=0), np.nan), np.ma.filled(std, np.nan), kept.count(axis=0)


def write(path: Path, image: np.ndarray, **cards) -> Path:
    hdu = fits.PrimaryHDU(image)
    hdu.header.update(cards)
    hdu.writeto(path)
    return path


def write_stack(folder: Path, stack: np.ndarray) -> list[Path]:
    folder.mkdir(exist_ok=True)
    return [write(folder / f"e{i:03d}.fits", image) for i, image in enumerate(stack)]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 21, 50])
@pytest.mark.parametrize("clip_sigma", [2.5, 5.0])
def test_kernel_agrees_with_astropy(n, clip_sigma):
    rng = np.random.default_rng(n)
    stack = rng.normal(1000, 10, (n, 40, 60)).astype(np.float32)
    stack[rng.random(stack.shape) < 0.02] += 500
    mean, std, n_used, _ = clipped_mean(stack, clip_sigma)
    expected_mean, expected_std, expected_n = plain_clipped_mean(stack, clip_sigma)
    np.testing.assert_array_equal(n_used, expected_n)
    np.testing.assert_allclose(mean, expected_mean, rtol=2e-7)
    if n > 1:
        np.testing.assert_allclose(std, expected_std, rtol=1e-4, atol=1e-3)


@pytest.mark.filterwarnings("ignore:Degrees of freedom")
def test_kernel_leaves_out_what_is_not_finite():
    rng = np.random.default_rng(2)
    stack = rng.normal(50, 3, (9, 10, 10)).astype(np.float32)
    stack[rng.random(stack.shape) < 0.2] = np.nan
    stack[0, 0, 0], stack[1, 0, 0] = np.inf, -np.inf
    stack[:, 5, 5] = np.nan
    stack[1:, 6, 6] = np.nan
    stack[0, 6, 6] = 50
    mean, std, n_used, _ = clipped_mean(stack, 5.0)
    expected, _, count = plain_clipped_mean(stack, 5.0)
    np.testing.assert_array_equal(n_used, count)
    np.testing.assert_allclose(mean, expected, rtol=2e-7)
    assert np.isnan(mean[5, 5])
    assert n_used[5, 5] == 0
    assert mean[6, 6] == 50
    assert np.isnan(std[6, 6])


@settings(max_examples=60)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 12), st.integers(1, 3), st.integers(1, 4)),
        elements=st.integers(-300, 300).map(float),
    ),
    st.randoms(use_true_random=False),
)
def test_order_is_irrelevant_and_shift_passes_through(stack, random):
    order = list(range(len(stack)))
    random.shuffle(order)
    mean, _, n_used, _ = clipped_mean(stack, 3.0, floor=0.5)
    again, _, n_again, _ = clipped_mean(stack[order], 3.0, floor=0.5)
    shifted, _, n_shifted, _ = clipped_mean(stack + 1000, 3.0, floor=0.5)
    np.testing.assert_array_equal(n_used, n_again)
    np.testing.assert_array_equal(n_used, n_shifted)
    np.testing.assert_allclose(mean, again, atol=1e-4)
    np.testing.assert_allclose(mean + 1000, shifted, atol=1e-3)
    assert np.all((mean >= stack.min(axis=0) - 1e-3) & (mean <= stack.max(axis=0) + 1e-3))


def test_whole_numbers_that_are_mostly_equal_keep_their_mean(tmp_path):
    # Noise of 0.4 ADU: most values are equal, the median absolute deviation is 0.
    rng = np.random.default_rng(3)
    stack = np.rint(rng.normal(100.2, 0.4, (30, 50, 50))).astype(np.uint16)
    mean = combine(write_stack(tmp_path, stack)).image
    assert abs(mean.mean() - stack.mean()) < 0.002


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_rows_are_what_astropy_reads(tmp_path, dtype):
    rng = np.random.default_rng(4)
    image = rng.integers(0, 250, (13, 7)).astype(dtype)
    path = write(tmp_path / "a.fits", image)
    rows = read_rows(open_rows(path, tmp_path), 3, 9)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, fits.getdata(path)[3:9])
    np.testing.assert_array_equal(read_rows(open_rows(path, tmp_path), -4, 99), image)


def test_blank_and_scale_are_obeyed(tmp_path):
    image = np.arange(12, dtype=np.int16).reshape(3, 4)
    path = tmp_path / "a.fits"
    hdu = fits.PrimaryHDU(image)
    hdu.writeto(path)
    with fits.open(path, mode="update", do_not_scale_image_data=True) as hdus:
        hdus[0].header.update({"BSCALE": 0.5, "BZERO": 10.0, "BLANK": 5})
    rows = read_rows(open_rows(path, tmp_path), 0, 3)
    expected = image * 0.5 + 10
    expected[image == 5] = np.nan
    np.testing.assert_array_equal(rows, expected)


def test_large_whole_numbers_keep_their_digits(tmp_path):
    image = np.array([[2**31 + 7, 2**31 + 300, 100_001]], dtype=np.uint32)
    path = write(tmp_path / "a.fits", image)
    rows = read_rows(open_rows(path, tmp_path), 0, 1)
    np.testing.assert_array_equal(rows, image.astype(np.float32))


def test_blocks_give_what_the_whole_gives(tmp_path):
    rng = np.random.default_rng(5)
    stack = rng.poisson(300, (6, 97, 211)).astype(np.uint16)
    paths = write_stack(tmp_path, stack)
    whole = combine(paths)
    small = combine(paths, memory_mb=0.03)
    np.testing.assert_array_equal(whole.image, small.image)
    np.testing.assert_array_equal(whole.std, small.std)
    np.testing.assert_array_equal(whole.n_used, small.n_used)


def test_rows_combined_anew_are_those_of_the_whole(tmp_path):
    rng = np.random.default_rng(11)
    paths = write_stack(tmp_path, rng.normal(1000, 10, (4, 90, 60)).astype(np.float32))
    before = combine(paths, scale="median")
    assert before.n_used.min() == 4
    for memory_mb, numbers in ((500, (5, 0, 40, 1)), (0.05, (0, 3, 7, 0)), (500, (9, 0, 0, 0))):
        without = [np.sort(rng.choice(90 * 60, n, replace=False)) for n in numbers]
        again = combine(paths, scale="median", without=without, before=before, memory_mb=memory_mb)
        plain = combine(paths, scale="median", without=without)
        for name in ("image", "std", "n_used", "spread", "levels"):
            np.testing.assert_array_equal(getattr(again, name), getattr(plain, name), err_msg=name)
        assert again.n_used.min() < 4
        before = again  # its own rows of pixels left out are made anew too


def test_subtracts_and_scales_before_clipping(tmp_path):
    rng = np.random.default_rng(6)
    pattern = rng.uniform(0.8, 1.2, (60, 80))
    bias = rng.uniform(90, 110, (60, 80)).astype(np.float32)
    dark = rng.uniform(1, 5, (60, 80)).astype(np.float32)
    seconds = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    levels = np.array([900.0, 2000.0, 4100.0, 7800.0, 20000.0])
    stack = levels[:, None, None] * pattern + bias + dark * seconds[:, None, None]
    paths = write_stack(tmp_path, stack.astype(np.float32))
    flat = combine(paths, scale="median", subtract=[bias, (dark, seconds)])
    np.testing.assert_allclose(flat.image, pattern / np.median(pattern), rtol=2e-4)
    np.testing.assert_allclose(flat.levels, levels * np.median(pattern), rtol=1e-4)


def test_a_scale_for_each_exposure(tmp_path):
    paths = write_stack(tmp_path, np.array([np.full((4, 5), 10.0), np.full((4, 5), 20.0)]))
    np.testing.assert_allclose(combine(paths, scale=np.array([2.0, 1.0])).image, 20)


def test_median(tmp_path):
    stack = np.array([1.0, 2.0, 6.0])[:, None, None] * np.ones((3, 4))
    assert combine(write_stack(tmp_path, stack), method="median").image[0, 0] == 2


def test_memory_does_not_grow_with_the_number_of_exposures(tmp_path):
    rng = np.random.default_rng(7)
    stack = rng.integers(0, 60000, (60, 256, 256)).astype(np.uint16)
    paths = write_stack(tmp_path, stack)
    peaks = []
    for number in (20, 60):
        combine(paths[:3])
        tracemalloc.start()
        combine(paths[:number], memory_mb=2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < 60 * 256 * 256 * 4 / 2


def test_compressed_exposures(tmp_path):
    rng = np.random.default_rng(8)
    stack = rng.integers(0, 60000, (3, 32, 40)).astype(np.uint16)
    paths = write_stack(tmp_path, stack)
    plain = combine(paths, memory_mb=0.01).image
    packed = []
    for path in paths:
        packed.append(path.with_suffix(".fits.gz"))
        with path.open("rb") as source, gzip.open(packed[-1], "wb") as target:
            shutil.copyfileobj(source, target)
    np.testing.assert_array_equal(combine(packed, memory_mb=0.01).image, plain)


def test_errors_say_what_is_wrong(tmp_path):
    with pytest.raises(CalibrationError, match="no exposures"):
        combine([])
    a = write(tmp_path / "a.fits", np.ones((4, 5), np.uint16))
    b = write(tmp_path / "b.fits", np.ones((5, 5), np.uint16))
    with pytest.raises(CalibrationError, match=r"a\.fits is 5 x 4 px, b\.fits is 5 x 5 px"):
        combine([a, b])
    with pytest.raises(CalibrationError, match=r"shape \(2, 2\)"):
        combine([a], subtract=np.ones((2, 2), np.float32))
    with pytest.raises(CalibrationError, match="is it a flat field"):
        combine([a], subtract=np.ones((4, 5), np.float32), scale="median")
    with pytest.raises(CalibrationError, match="one finite scale"):
        combine([a], scale=np.array([1.0, 2.0]))
    with pytest.raises(CalibrationError, match="clip_sigma"):
        combine([a], clip_sigma=0)
    source = open_rows(a, tmp_path)
    a.write_bytes(a.read_bytes()[:2900])
    with pytest.raises(FrameError, match="cut short"):
        read_rows(source, 0, 4)
    a.unlink()
    with pytest.raises(FrameError, match="cannot be read"):
        read_rows(source, 0, 4)


@pytest.mark.parametrize("packing", ["gzip", "hcomp", "rice", "plio"])
def test_real_packed_image_combines_as_the_plain_one(shared_data, packing):
    folder = next((shared_data / "odd-fits").rglob("m13.fits")).parent
    plain = combine([folder / "m13.fits"] * 3).image
    packed = combine([folder / f"m13_{packing}.fits", folder / "m13.fits"], memory_mb=0.1).image
    np.testing.assert_array_equal(packed, plain)


def test_real_frames(hatp32):
    paths = hatp32[:8]
    stack = np.array([fits.getdata(path) for path in paths], dtype=np.float32)
    median = combine(paths, method="median", clip_sigma=np.inf, memory_mb=1).image
    np.testing.assert_allclose(median, np.median(stack, axis=0), rtol=1e-6)
