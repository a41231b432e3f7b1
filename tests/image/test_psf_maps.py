"""Maps of the PSF's shape over a frame, and their figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightcurve.image.psf import shape_maps
from lightcurve.phot.psf import Psf, moffat_psf
from lightcurve.phot.surface import fit_surface
from lightcurve.report.image_maps import save_psf_maps

SHAPE = (320, 480)


def varying() -> Psf:
    """Build a PSF with FWHM 3 px in the middle, wider by 0.2 % a pixel to the right; e2 of 0.2."""
    rng = np.random.default_rng(5)
    x, y = rng.uniform(0, 479, 200), rng.uniform(0, 319, 200)
    values = np.stack([np.log(3.0) + 0.002 * (x - 239.5), 0 * x, 0 * x + 0.2], axis=1)
    return moffat_psf(fit_surface(x, y, values, np.ones(200)), 3.0, 12.0, 2)


def test_maps_are_those_of_the_shape() -> None:
    maps = shape_maps(varying(), SHAPE)
    middle = (np.arange(16) + 0.5) * 30 - 0.5
    inner = slice(1, 15)  # beyond the stars the nearest place speaks
    wanted = 3.0 * np.exp(0.002 * (middle - 239.5))
    assert maps["FWHM"][:, inner] == pytest.approx(
        np.broadcast_to(wanted[inner], (16, 14)), rel=1e-3
    )
    assert maps["ELLIP"] == pytest.approx(np.full((16, 16), 1 - np.sqrt(0.8 / 1.2)), abs=1e-3)
    assert maps["ANGLE"] == pytest.approx(np.full((16, 16), 45.0), abs=0.1)


def test_maps_are_drawn(tmp_path: Path) -> None:
    maps = shape_maps(varying(), SHAPE)
    path = save_psf_maps(
        tmp_path / "psf_maps.png", maps["FWHM"], (maps["ELLIP"], maps["ANGLE"]), SHAPE
    )
    assert path.read_bytes().startswith(b"\x89PNG")
