"""Pixels of space telescopes: own apertures, shifts, crowding, and the times of cut-outs."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import InputError
from lightcurve.core.times import bjd_tdb
from lightcurve.tables.fits_table import open_fits
from lightcurve.tables.light_curves import read_curve
from space_files import OTHER, STAR, observe, star_on_pixels, write_pixels

LEVEL, OTHERS = 5000.0, 0.25  # e/s of the star, and the neighbour's share of it


@pytest.fixture(scope="module")
def sector():
    return observe(7, cadence_s=1200.0, days=14.0)


@pytest.fixture(scope="module")
def path(sector, tmp_path_factory):
    return write_pixels(tmp_path_factory.mktemp("pixels") / "tp.fits", sector, level=LEVEL)


def true_share(mask):
    star, other = (star_on_pixels(p, np.zeros((1, 2)))[0][mask].sum() for p in (STAR, OTHER))
    return star / (star + OTHERS * other)


def test_the_aperture_is_the_stars_and_its_share_of_the_light_is_known(sector, path):
    found = open_fits(path)
    assert found.place == pytest.approx(STAR, abs=1e-6)
    assert 5 <= found.measured.aperture.sum() <= 25
    assert not found.measured.aperture[round(OTHER[1]), round(OTHER[0])]
    assert found.crowding == pytest.approx(true_share(found.measured.aperture), abs=0.005)
    curve = read_curve(path)
    assert curve.dilution is not None
    assert curve.dilution.value == pytest.approx(found.crowding, abs=1e-6)
    share = curve.dilution.value
    good = (curve.flags == 0) & (sector.light < 0.995)
    expected = 1 - share * (1 - sector.light[good])
    assert np.mean(curve.flux[good] - expected) == pytest.approx(0, abs=4e-4)


def test_errors_are_what_the_light_scatters_by(sector, path):
    curve = read_curve(path)
    good = (curve.flags == 0) & (sector.light > 0.995)
    left = (curve.flux / sector.light)[good]
    white = np.std(np.diff(left)) / np.sqrt(2)
    assert white == pytest.approx(np.median(curve.flux_err[good]), rel=0.08)
    assert np.std(left) < 1.15 * white


def test_stray_light_of_cut_outs_is_taken_off_and_shifts_follow_the_truth(sector, tmp_path):
    found = open_fits(write_pixels(tmp_path / "cut.fits", sector, "tesscut"))
    measured = found.measured
    good = (sector.quality == 0) & np.isfinite(measured.sky)
    sky = np.corrcoef(measured.sky[good], sector.stray[good])[0, 1]
    assert sky > 0.999
    known = good & np.isfinite(measured.shift).all(axis=1)
    for k in (0, 1):
        assert np.corrcoef(measured.shift[known, k], sector.shift[known, k])[0, 1] > 0.9
    assert not np.isfinite(found.crowding)
    assert any("dilution" in note.text for note in found.table.unusable)


@pytest.mark.parametrize("layout", ["tesscut", "tica"])
def test_times_of_cut_outs_become_the_stars_own(layout, sector, tmp_path):
    curve = read_curve(write_pixels(tmp_path / "cut.fits", sector, layout))
    star = sector.planet.ra_deg, sector.planet.dec_deg
    own = bjd_tdb(curve.jd_utc, *star, None)
    known = np.isfinite(own)
    np.testing.assert_allclose(own[known] * 86400, sector.bjd_tdb[known] * 86400, atol=2e-3)


def test_a_roll_of_k2_is_taken_out(tmp_path):
    sector = observe(8, "K2", cadence_s=1765.4637, days=20.0)
    path = write_pixels(tmp_path / "k2.fits", sector)
    slope = np.linspace(0.9, 1.1, 11)[None, None, :]  # the sensitivity of the columns
    with fits.open(path, mode="update") as hdus:
        hdus[1].data["FLUX"] *= slope
    measured = open_fits(path).measured
    good = (sector.quality == 0) & np.isfinite(measured.raw) & (sector.light > 0.995)
    raw, flux = (
        values[good] / np.median(values[good]) / sector.light[good]
        for values in (measured.raw, measured.flux)
    )
    assert measured.corrected
    assert np.std(flux) < 0.5 * np.std(raw)


@pytest.mark.parametrize("card", [("CD1_1", "north"), ("CRVAL1", 200.0), ("CTYPE1", 7)])
def test_a_place_that_the_wcs_does_not_tell_is_said(card, path, tmp_path):
    bad = tmp_path / "bad.fits"
    bad.write_bytes(path.read_bytes())
    with fits.open(bad, mode="update") as hdus:
        hdus["APERTURE"].header[card[0]] = card[1]
    found = open_fits(bad)
    assert found.place == pytest.approx(STAR, abs=1.5)  # the middle of the pipeline's aperture
    told = f"{found.place[0]:.1f}, {found.place[1]:.1f}"
    assert sum(told in note.text for note in read_curve(bad).source.notes) == 1


def test_what_are_no_pixels_is_refused_in_one_line(sector, path, tmp_path):
    whole, bad = path.read_bytes(), tmp_path / "bad.fits"
    for size in (4000, 9000, len(whole) // 2):
        bad.write_bytes(whole[:size])
        with pytest.raises(InputError):
            open_fits(bad)
    for change, words in (
        (lambda hdus: hdus[1].data["FLUX"].fill(np.nan), "picture"),
        (lambda hdus: hdus[1].data["FLUX"].fill(0.0), "no light"),
        (lambda hdus: hdus[1].data["QUALITY"].fill(128), "spoilt"),
        (lambda hdus: hdus[1].data["TIME"].fill(np.nan), "picture"),
    ):
        bad.write_bytes(whole)
        with fits.open(bad, mode="update") as hdus:
            change(hdus)
        with pytest.raises(InputError, match=words) as caught:
            open_fits(bad)
        assert caught.value.file == "bad.fits"
    thin = fits.BinTableHDU.from_columns([
        fits.Column("TIME", "D", array=np.arange(50.0)),
        fits.Column("FLUX", "2E", array=np.ones((50, 1, 2)), dim="(2,1)"),
    ])  # fmt: skip
    fits.HDUList([fits.PrimaryHDU(), thin]).writeto(bad, overwrite=True)
    with pytest.raises(InputError, match="small pictures"):
        open_fits(bad)


def test_a_neighbour_ten_times_brighter_is_left_outside(tmp_path):
    sector = observe(9, cadence_s=1800.0, days=8.0)
    found = open_fits(write_pixels(tmp_path / "faint.fits", sector, "tesscut", other=10.0))
    assert not found.measured.aperture[round(OTHER[1]), round(OTHER[0])]
