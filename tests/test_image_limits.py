"""Options and inputs that the single-image story must refuse, or tell apart, in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightcurve.config import Settings, make_settings
from lightcurve.errors import InputError
from lightcurve.image_stages import sources as sources_module
from lightcurve.image_stages.prepare import prepare_frame
from lightcurve.image_stages.sources import measure_sources


def real_settings(shared_data: Path, **image) -> Settings:
    return make_settings(
        {
            "catalogs": {"files": [str(shared_data / "tycho2-hatp32.fits")], "offline": True},
            "solve": {"index": [str(shared_data / "index-tycho2-hatp32.fits")]},
            "image": {"injected": 0, "transients": False, **image},
        }
    )


def empty_frame(path: Path) -> Path:
    from astropy.io import fits

    noise = np.random.default_rng(1).normal(100, 3, (200, 300)).astype(np.float32)
    fits.writeto(path, noise)
    return path


@pytest.mark.parametrize(
    ("apertures", "option"),
    [({"radii": [500.0]}, "--radius"), ({"annulus": (9.0, 500.0)}, "--annulus")],
    ids=["radius", "annulus"],
)
def test_apertures_larger_than_the_frame_are_refused(
    apertures: dict, option: str, tmp_path: Path
) -> None:
    path = empty_frame(tmp_path / "f.fits")
    with pytest.raises(InputError, match=f"{option}.* 500 px .* the frame is 300 x 200 px"):
        prepare_frame(path, make_settings({"apertures": apertures}))


def test_stars_measured_in_blocks_are_the_same(
    hatp32: list[Path], shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = real_settings(shared_data, psf="none")
    prepared = prepare_frame(hatp32[0], settings)
    whole = measure_sources(prepared, settings)
    monkeypatch.setattr(sources_module, "BLOCK_PIXELS", 800_000)
    parts = measure_sources(prepared, settings)
    assert len(parts) == len(whole)
    bright = whole.snr > 50
    np.testing.assert_allclose(parts.phot.sky[:50], whole.phot.sky[:50], rtol=1e-6)
    # The centroid window is of each block's own stars: blends move by a little.
    np.testing.assert_allclose(parts.phot.flux[bright], whole.phot.flux[bright], rtol=0.01)


def test_a_frame_without_stars_says_so(tmp_path: Path) -> None:
    prepared = prepare_frame(empty_frame(tmp_path / "f.fits"), Settings())
    assert "no star tells" in " ".join(prepared.notes)
    assert "nan" not in " ".join(prepared.notes)
