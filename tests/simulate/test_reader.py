"""Simulated headers through the reader: every dialect tells the same night."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightcurve.core.data import Site
from lightcurve.frames.read import read_frame
from lightcurve.simulate.dialects import DIALECTS
from sim import tiny_night


@pytest.mark.parametrize("longitude", [-110.88, 16.4])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_reader_finds_what_the_night_was(tmp_path: Path, dialect: str, longitude: float) -> None:
    site = Site(latitude_deg=31.68, longitude_deg=longitude, height_m=1268.0, name="Whipple")
    start = 2460586.7654321 if longitude < 0 else 2460586.4123456
    _, truth = tiny_night(
        tmp_path, dialect=dialect, n_frames=2, n_bias=1, n_dark=1, n_flat=1, n_stars=2, site=site,
        start_jd_utc=start,
    )  # fmt: skip
    for k, path in enumerate(truth.lights):
        seen = read_frame(path).exposure
        assert seen.kind == "light"
        assert seen.exposure_s == 60
        assert (seen.mid_jd_utc - truth.conditions.mid_jd_utc[k]) * 86400 == pytest.approx(
            0, abs=0.001
        )
        assert seen.site.latitude_deg == pytest.approx(31.68)
        # MicroObservatory stands in the west; its keyword has no sign to say otherwise.
        if dialect != "microobservatory" or longitude < 0:
            assert seen.site.longitude_deg == pytest.approx(longitude)
        assert seen.ra_deg == pytest.approx(truth.night.ra_deg, abs=0.05)
        assert seen.dec_deg == pytest.approx(truth.night.dec_deg, abs=0.05)
        assert seen.scale_arcsec == pytest.approx(1.2, rel=0.011)
    for kind, paths in [("bias", truth.biases), ("dark", truth.darks), ("flat", truth.flats)]:
        seen = read_frame(paths[0]).exposure
        assert seen.kind == kind
