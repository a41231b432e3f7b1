"""Every flag has a meaning; stars without light or sky and a rough clock raise their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from lightcurve.core.flags import MEANING, Flag
from lightcurve.core.settings import make_settings
from lightcurve.frames.inventory import take_inventory
from lightcurve.night.measure import measure_frame
from lightcurve.night.prepare import prepare_night
from lightcurve.night.reduced import stack_results
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.noise import NoiseModel
from lightcurve.setup.target import find_target
from lightcurve.simulate.render import render_stars
from sim import tiny_night


def spoilt_star(*, light: float, sky_left: bool) -> int:
    """Flags of one star, of negative light where a master frame is wrong; perhaps without sky."""
    place = np.array([50.0])
    pixels = 100 + render_stars((100, 100), place, place, np.array([light]), 3.0)
    y, x = np.indices(pixels.shape)
    if not sky_left:
        pixels[np.hypot(x - 50, y - 50) > 9] = np.nan
    bad = np.zeros(pixels.shape, np.uint8)
    found = measure_stars(
        pixels.astype(np.float32), bad, place, place,
        radii=np.array([4.0]), annulus=(10.0, 16.0), noise=NoiseModel(),
    )  # fmt: skip
    return int(found.flags[0, 0])


def test_every_flag_has_its_meaning() -> None:
    assert set(MEANING) == set(Flag)


def test_a_star_without_light_or_sky_is_flagged() -> None:
    assert spoilt_star(light=5e4, sky_left=True) == 0
    assert spoilt_star(light=-5e3, sky_left=True) & Flag.NEGATIVE_FLUX
    assert spoilt_star(light=5e4, sky_left=False) & Flag.FEW_SKY_PIXELS


def with_cards(path: Path, where: Path, **cards: object) -> Path:
    """Copy a frame under other cards; None takes one out."""
    with fits.open(path) as hdus:
        header = hdus[0].header
        for name in [name for name in header if name.startswith(("DATE", "JD", "MJD", "UT"))]:
            del header[name]
        for name, value in cards.items():
            header[name.replace("_", "-")] = value
            if value is None:
                del header[name.replace("_", "-")]
        fits.writeto(where / path.name, hdus[0].data, header)
    return where / path.name


def test_the_frame_s_clock_is_judged_and_its_length_may_be_unknown(tmp_path: Path) -> None:
    lights, _ = tiny_night(tmp_path / "a", shape=(200, 240), n_stars=40, header_wcs=True)
    folder = tmp_path / "b"
    folder.mkdir()
    times = ({"DATE_OBS": "2026-01-01T03:10:05"}, {"DATE_OBS": "2026-01-01", "UT": "03:12"})
    times += ({"DATE_AVG": "2026-01-01T03:14:05", "EXPTIME": None},)
    for path, cards in zip(lights, times, strict=False):
        with_cards(path, folder, AIRMASS=None, **cards)  # it belongs to the simulated time
    settings = make_settings({"target": {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}})
    target = find_target(settings.target)
    scene = prepare_night(take_inventory(folder, settings), target, settings, tmp_path / "m")
    results = [measure_frame(path, scene.recipe) for path in scene.lights]
    assert [result.status for result in results] == ["measured"] * 3
    rough = [bool(result.photometry.flags[0, 0] & Flag.TIME_UNCERTAIN) for result in results]
    assert rough == [False, True, False]  # seconds, minutes, seconds
    assert "leaves the time open by 30 s" in results[1].reason
    assert "no exposure time" in results[2].reason
    measurements = stack_results(results, scene.recipe)
    assert np.isnan(measurements.exposure_s).tolist() == [False, False, True]
