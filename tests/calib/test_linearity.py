"""A camera that is not linear: its counts are straightened in masters and frames alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from headers import exposure
from lightcurve.calib.linearity import straighten
from lightcurve.calib.masters import build_masters
from lightcurve.calib.reduce import reduce_frame
from lightcurve.core.data import Exposure, FrameKind, RawFrame, Step
from lightcurve.core.settings import CalibrationSettings

SHAPE = (40, 60)
CURVE = 2e-6  # true = seen + CURVE seen^2: 8 % at 40000 ADU
READ_ADU = 1.0
TERMS = (0.0, 1.0, CURVE)
RESPONSE = 1 - 0.3 * np.hypot(*np.indices(SHAPE) - np.array(SHAPE)[:, None, None] / 2) / 60
RESPONSE /= np.median(RESPONSE)


def seen(true: np.ndarray) -> np.ndarray:
    """What the converter gives of a true number of counts, on a bias of 500."""
    return 500 + (np.sqrt(1 + 4 * CURVE * true) - 1) / (2 * CURVE)


def group(folder: Path, kind: str, true: np.ndarray, seconds: float) -> list:
    frames = []
    for k in range(3):
        path = folder / f"{kind}{k}.fits"
        noise = np.random.default_rng(k).normal(0, READ_ADU, SHAPE)
        fits.PrimaryHDU((seen(true) + noise).astype(np.float32)).writeto(path)
        frames.append((path, Exposure(kind=FrameKind(kind), exposure_s=seconds, shape=SHAPE)))
    return frames


def raw(true: np.ndarray, **facts: object) -> RawFrame:
    light = Exposure(kind=FrameKind.LIGHT, exposure_s=60.0, shape=SHAPE, **facts)
    none = np.zeros(SHAPE, np.uint8)
    return RawFrame(seen(true).astype(np.float32), none, light, fits.Header(), Path("l.fits"))


def test_the_polynomial_is_that_of_its_terms() -> None:
    values = np.array([[0.0, 10.0, 1000.0]], np.float32)
    given = values.astype(float)
    straighten(values, (3.0, 0.5, 1e-3, -1e-7))
    right = 3 + 0.5 * given + 1e-3 * given**2 - 1e-7 * given**3
    np.testing.assert_allclose(values, right, rtol=1e-6)


@pytest.mark.parametrize("with_dark", [True, False])
def test_light_that_was_bent_comes_out_as_it_fell(tmp_path: Path, with_dark: bool) -> None:
    sky = np.linspace(200, 45000, SHAPE[0] * SHAPE[1]).reshape(SHAPE)
    dark = np.full(SHAPE, 120.0 if with_dark else 0.0)
    frame = raw(sky * RESPONSE + dark, linearity_terms=TERMS)
    masters = build_masters(
        frame.exposure,
        group(tmp_path, "bias", np.zeros(SHAPE), 0.0),
        group(tmp_path, "dark", dark, 60.0) if with_dark else (),
        group(tmp_path, "flat", 30000 * RESPONSE, 0.0),
        (),
        settings=CalibrationSettings(),
    )
    out = reduce_frame(frame, masters)
    level = np.median(out.pixels / sky)  # of the flat, whose median is 1
    assert level == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(out.pixels / level, sky, rtol=5e-4, atol=8 * READ_ADU)
    by_level = (out.pixels / level - sky).reshape(8, -1).mean(axis=1)
    assert abs(by_level).max() < 0.5  # of up to 42000
    bent = reduce_frame(
        replace(frame, exposure=replace(frame.exposure, linearity_terms=None)), masters
    )
    assert abs(bent.pixels / sky - 1).max() > 0.05
    assert any("linear" in line for line in out.history)


def test_a_calibrated_frame_is_not_straightened_again() -> None:
    sky = np.full(SHAPE, 20000.0)
    done = raw(sky, linearity_terms=TERMS, done=(Step.BIAS,))
    assert np.array_equal(reduce_frame(done, None).pixels, done.pixels)
    alone = reduce_frame(raw(sky - 500, linearity_terms=TERMS), None)  # with nothing taken off
    assert alone.pixels[0, 0] > seen(sky)[0, 0]


def test_terms_are_of_settings_or_of_the_profile() -> None:
    found = exposure({}, camera={"linearity_terms": [0.0, 1.0, CURVE]})
    assert found.linearity_terms == TERMS
    assert found.sources["linearity_terms"] == "setting camera.linearity_terms"
