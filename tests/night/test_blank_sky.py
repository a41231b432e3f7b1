"""A target where no star is stops the night in one line; a faint one is measured."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.errors import InputError
from lightcurve.core.settings import make_settings
from lightcurve.night.measure_table import measure_folder
from lightcurve.night.nights import plan_nights
from lightcurve.night.settle import SEEN_SNR, stacked_snr
from sim import tiny_night
from undrawn import reduce_night

RA, DEC = 20.0, 30.0
BLANK = {"ra": "20.012", "dec": "29.992"}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("night")
    tiny_night(folder, n_frames=12, shape=(300, 330), n_stars=40, header_wcs=True)
    return folder


def settings(target: dict[str, str] | None = None, **more: dict[str, object]):
    place = target or {"ra": str(RA), "dec": str(DEC)}
    return make_settings({"target": {"name": "Tiny-1"} | place} | more)


@pytest.mark.parametrize("style", ["lightcurve", "aij"])
def test_blank_sky_is_refused(night: Path, tmp_path: Path, style: str) -> None:
    with pytest.raises(InputError) as caught:
        reduce_night(night, settings(BLANK, apertures={"style": style}), tmp_path / "run")
    text = str(caught.value)
    assert "\n" not in text
    for part in (
        "no star detected at 20.01200 +29.99200 deg (options --ra and --dec)", "the nearest, ",
        "arcsec) away", "--ra and --dec or --planet", "proper motion", "all 12 frames together",
    ):  # fmt: skip
        assert part in text
    assert (tmp_path / "run" / "frames.csv").exists()
    with pytest.raises(InputError, match="no star detected at"):
        measure_folder(night, settings(BLANK), tmp_path / "measured")


def test_the_commands_end_with_1(night: Path, tmp_path: Path) -> None:
    place = ["--ra", BLANK["ra"], "--dec", BLANK["dec"], "--solver", "header"]
    for verb in ("run", "measure"):
        told = CliRunner().invoke(app, [verb, str(night), *place, "--out", str(tmp_path / verb)])
        assert told.exit_code == 1


def test_plan_warns(night: Path, caplog) -> None:
    with caplog.at_level(logging.WARNING, logger="lightcurve"):
        plan_nights(night, settings(BLANK))
    assert any("no star detected at 20.01200 +29.99200" in line for line in caplog.messages)


def test_a_faint_target_seen_in_most_frames_is_measured(tmp_path: Path, caplog) -> None:
    tiny_night(
        tmp_path / "night", n_frames=16, shape=(300, 330), n_stars=40, header_wcs=True,
        target_mag=17.2,
    )  # fmt: skip
    with caplog.at_level(logging.WARNING, logger="lightcurve"):
        found = measure_folder(tmp_path / "night", settings(), tmp_path / "run").measurements
    assert not found.plan.target_detected  # else this tests nothing
    assert any("no star detected at 20.00000 +30.00000" in line for line in caplog.messages)
    snr, n = stacked_snr(found)
    assert n == 16
    assert snr > SEEN_SNR


def test_a_night_of_plain_numpy(tmp_path: Path) -> None:
    """Round Moffat stars on white noise: one of 3 sigma a frame is seen, empty sky is not."""
    rng = np.random.default_rng(8)
    ny, nx, sky, noise, alpha = 220, 240, 900.0, 12.0, 2.2
    row, column = np.mgrid[:ny, :nx]
    x, y = rng.uniform(30, 190, (2, 14))
    near = np.hypot(x - 120.3, y - 100.7) < 30
    near |= np.hypot(x - 60.2, y - 40.4) < 30
    x, y, flux = x[~near], y[~near], rng.uniform(8e3, 4e4, int((~near).sum()))
    # The noise of the smallest aperture, about 9 px, is 36 ADU.
    x, y, flux = np.append(x, 120.3), np.append(y, 100.7), np.append(flux, 160.0)
    folder = tmp_path / "night"
    folder.mkdir()
    wcs = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 121.3, "CRPIX2": 101.7,
        "CRVAL1": 20.0, "CRVAL2": 30.0, "CDELT1": -1e-3, "CDELT2": 1e-3,
    }  # fmt: skip
    for k in range(10):
        pixels = np.full((ny, nx), sky) + rng.normal(0, noise, (ny, nx))
        for one, two, light in zip(x, y, flux, strict=True):
            r2 = (column - one) ** 2 + (row - two) ** 2
            pixels += light * 1.5 / (np.pi * alpha**2) * (1 + r2 / alpha**2) ** -2.5
        header = fits.Header({"IMAGETYP": "Light", "EXPTIME": 30.0, "GAIN": 1.5} | wcs)
        header["DATE-OBS"] = f"2024-03-01T02:{k:02d}:00"
        fits.writeto(folder / f"{k}.fits", pixels.astype(np.float32), header)
    found = measure_folder(folder, settings(), tmp_path / "run").measurements
    assert not found.plan.target_detected
    assert stacked_snr(found)[0] > SEEN_SNR
    blank = {"ra": str(20.0 + 60.1e-3 / np.cos(np.radians(30))), "dec": str(30 - 60.3e-3)}
    with pytest.raises(InputError, match="all 10 frames together"):
        measure_folder(folder, settings(blank), tmp_path / "blank")


def test_a_much_brighter_star_so_near_is_told_where_no_star_holds_the_wcs(tmp_path, caplog) -> None:
    """A header's place, 6 arcsec off, lies on a faint star beside the bright target."""
    rng = np.random.default_rng(11)
    ny, nx, scale = 200, 220, 1.0
    x, y = np.append(rng.uniform(20, 180, (2, 12)), [[110.2, 104.4], [116.3, 110.1]], axis=1)
    light = np.append(rng.uniform(2e4, 6e4, 12), [2e3, 9e4])
    row, column = np.mgrid[:ny, :nx]
    header = fits.Header({"IMAGETYP": "light", "EXPTIME": 30.0, "FILTER": "V", "EGAIN": 1.0})
    header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 111.2, "CRPIX2": 117.3})
    header.update({"CRVAL1": RA, "CRVAL2": DEC, "CD1_1": -scale / 3600, "CD2_2": scale / 3600})
    for k in range(6):
        stars = sum(
            f / (2 * np.pi * 1.5**2) * np.exp(-((column - a) ** 2 + (row - b) ** 2) / 4.5)
            for a, b, f in zip(x, y, light, strict=True)
        )
        header["DATE-OBS"] = f"2024-01-01T01:{k:02d}:00"
        fits.writeto(tmp_path / f"{k}.fits", rng.poisson(500 + stars).astype(np.uint16), header)
    with caplog.at_level(logging.WARNING, logger="lightcurve"):
        plan_nights(tmp_path, settings())
    said = [line for line in caplog.messages if "not checked against stars" in line]
    assert len(said) == 1
    ra, dec = (float(said[0].split(option)[1].split()[0]) for option in ("--ra ", "--dec "))
    wcs = WCS(header["CTYPE*"] + header["CR*"] + header["CD*"])
    assert wcs.all_world2pix(ra, dec, 0) == pytest.approx((104.4, 110.1), abs=0.5)
    caplog.clear()
    plan_nights(tmp_path, settings({"ra": str(ra), "dec": str(dec)}))
    assert not any("not checked against stars" in line for line in caplog.messages)
