"""A camera of four amplifiers, each with its own bias, drift and gain: nothing of them is left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.calib.combine import combine
from tests.frames.test_sections import NX, NY, chip
from typed import run

SHAPE = (2 * NY, 2 * NX)


def take(folder: Path, kind: str, n: int, electrons: np.ndarray, seed: int, seconds: float) -> None:
    """Write frames whose headers are 2 % wrong about the gain of one amplifier."""
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        path = chip(folder, rng.poisson(electrons).astype(float), rng, f"{kind}{k}.fits")
        with fits.open(path, mode="update") as hdus:
            hdus[0].header.update({"IMAGETYP": kind, "EXPTIME": seconds, "FILTER": "V"})
            hdus[3].header["GAIN"] *= 1.02


def test_no_step_between_amplifiers_is_left(tmp_path: Path) -> None:
    night = tmp_path / "night"
    night.mkdir()
    y, x = np.indices(SHAPE)
    response = 1.05 - 0.15 * np.hypot(x - NX, y - NY) / NX
    take(night, "bias", 4, np.zeros(SHAPE), 1, 0.0)
    take(night, "flat", 8, 40000 * response, 2, 5.0)
    take(night, "light", 6, 8000 * response, 3, 60.0)
    run("calibrate", night, "--out", tmp_path / "out")
    frames = sorted((tmp_path / "out").glob("*_cal.fits"))
    assert len(frames) == 6
    sky = np.mean([fits.getdata(path) for path in frames], axis=0)
    quarters = [np.nanmean(sky[a : a + NY, b : b + NX]) for a in (0, NY) for b in (0, NX)]
    assert np.ptp(quarters) / np.mean(quarters) < 5e-4
    # Rows and columns lie flat: the drift of the overscans, 12 ADU, is gone.
    for axis in (0, 1):
        lines = np.nanmean(sky, axis=axis) / np.mean(quarters)
        smooth = np.convolve(lines, np.ones(30) / 30, "valid")
        assert np.ptp(smooth) < 1e-3


@pytest.mark.parametrize(("level", "gain", "read_e"), [(0.0, 1.5, 8.0), (40.0, 0.7, 3.0)])
@pytest.mark.parametrize("n", [5, 20])
def test_errors_of_masters_are_those_they_have(level, gain, read_e, n, tmp_path: Path) -> None:
    """Of biases and darks, with whole numbers of ADU: the pull of a pixel is 1."""
    truth = 500 + 5 * np.sin(np.arange(260) / 7) + level + np.zeros((200, 1))
    paths = []
    for k in range(n):
        rng = np.random.default_rng([n, k, round(level)])
        dark = rng.poisson(level * gain, truth.shape) / gain - level
        pixels = np.rint(truth + dark + rng.normal(0, read_e / gain, truth.shape))
        paths.append(tmp_path / f"{k}.fits")
        fits.writeto(paths[-1], pixels.astype(np.uint16))
    made = combine(paths)
    error = made.std / np.sqrt(made.n_used)
    assert 0.95 < np.sqrt(np.mean((made.image - truth) ** 2) / np.mean(error**2)) < 1.05
