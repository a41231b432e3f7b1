"""A night in another unit is the same night: lights, bias, darks and flats."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.settings import make_settings
from renderer import NightSpec, render_night
from undrawn import reduce_night


def stored_as(folder, out, factor, cards):
    """Copy a night with its pixels as 32-bit floats in another unit."""
    out.mkdir()
    for path in sorted(folder.glob("**/*.fit*")):
        pixels, header = fits.getdata(path), fits.getheader(path)
        for keyword in ("BZERO", "BSCALE"):
            header.remove(keyword, ignore_missing=True)
        header.update(cards)
        fits.writeto(out / path.name, (pixels * np.float64(factor)).astype(np.float32), header)


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("units")
    spec = NightSpec(n_frames=24, n_bias=3, n_dark=3, n_flat=3, saturation_card=False)
    truth = render_night(spec, folder / "whole", np.random.default_rng(8))
    settings = make_settings(
        {"target": {"ra": str(truth.ra_deg[0]), "dec": str(truth.dec_deg[0])}, "workers": 1}
    )
    return folder, settings, reduce_night(folder / "whole", settings, folder / "out")


@pytest.mark.parametrize(
    ("name", "factor", "cards"),
    [
        ("fractions", 1 / 65535, {}),
        ("electrons", NightSpec().gain, {"BUNIT": "electron"}),
    ],
)
def test_the_light_curve_is_the_same(name, factor, cards, nights):
    folder, settings, plain = nights
    stored_as(folder / "whole", folder / name, factor, cards)
    night = reduce_night(folder / name, settings, folder / f"out-{name}")
    assert len(night.curve.flux) == len(plain.curve.flux) == 24
    measured = night.measurements.flux / plain.measurements.flux
    errors = night.measurements.flux_err / plain.measurements.flux_err
    counts = factor if "BUNIT" in cards else 1.0
    assert np.nanmedian(np.abs(measured / counts - 1)) < 1e-5
    assert np.nanmedian(np.abs(errors / counts - 1)) < 0.03
    # Equal but for the last digits, another aperture may be as good.
    assert np.allclose(night.curve.flux, plain.curve.flux, atol=1.5e-3)
    assert np.allclose(night.curve.flux_err, plain.curve.flux_err, rtol=0.1)
    assert np.array_equal(night.curve.flags, plain.curve.flags)
