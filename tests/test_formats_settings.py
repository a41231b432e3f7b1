"""Stars, radii and detrending from AstroImageJ's settings files; DS9 regions there and back."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.errors import InputError
from lightcurve.formats.aij import write_apertures
from lightcurve.formats.aij_plot import read_plotcfg
from lightcurve.formats.aij_settings import (
    read_apertures,
    read_radec,
)
from lightcurve.formats.ds9 import read_ds9, write_ds9
from lightcurve.simulate.cube import CubeTruth, simulate_cube


@pytest.fixture(scope="module")
def plan():
    return simulate_cube(np.ones(6), CubeTruth(n_stars=5), np.random.default_rng(5)).plan


def test_real_aperture_file(shared_data):
    found = read_apertures(shared_data / "aij-tables" / "aij-sample-apertures.aperture")
    assert found.names == ("T1", "T2", "C3", "C4", "C5", "C6", "C7")
    assert (found.radius, found.annulus) == (15.0, (27.0, 41.0))
    assert (found.remove_stars, found.plane, found.fwhm_factor) == (True, False, None)
    assert found.x_ij[0] == 2017.5583
    assert (found.ra_deg[0], found.dec_deg[0]) == (314.25666137, 31.66053339)
    assert np.isnan(found.magnitude).all()
    x, y = found.pixels(4096)
    # AIJ.md: X(FITS) = X(IJ) + 0.5 is 1-based; Y(FITS) = NAXIS2 - Y(IJ) + 0.5
    assert x[0] + 1 == pytest.approx(found.x_ij[0] + 0.5)
    assert y[0] + 1 == pytest.approx(4096 - found.y_ij[0] + 0.5)


def test_apertures_there_and_back(plan, tmp_path):
    path = write_apertures(
        tmp_path / "x.apertures", plan, range(len(plan)), radius=5.5, annulus=(10, 15),
        image_height=1000,
    )  # fmt: skip
    found = read_apertures(path)
    x, y = found.pixels(1000)
    np.testing.assert_allclose(x, plan.x_ref, atol=1e-9)
    np.testing.assert_allclose(y, plan.y_ref, atol=1e-9)
    np.testing.assert_array_equal(found.ra_deg, plan.ra_deg)
    np.testing.assert_array_equal(found.comparison, plan.role == "comparison")
    assert found.annulus == (10.0, 15.0)


def test_radec_in_every_permitted_form(tmp_path):
    path = tmp_path / "stars.radec"
    path.write_text(
        "#RA in decimal or sexagesimal HOURS\n#RA, Dec, Ref Star, Centroid, Magnitude\n"
        "02:04:10.278, +46:41:16.21, 0, 1, 11.29\n2.0695, -0:30:00\n\n2.1, 46.5, 1, 0, 99.999\n"
    )
    found = read_radec(path)
    assert found.names == ("T1", "C2", "C3")
    np.testing.assert_allclose(found.ra_deg, [31.042825, 31.0425, 31.5])
    np.testing.assert_allclose(found.dec_deg, [46.68783611, -0.5, 46.5])
    assert list(found.centroid) == [True, True, False]
    np.testing.assert_array_equal(found.magnitude, [11.29, np.nan, np.nan])


def test_plot_configuration_tells_detrending(tmp_path):
    path = tmp_path / "x.plotcfg"
    path.write_text(
        "#Saved\n.plot.ylabel0=rel_flux_T1\n.plot.ylabel1=\n.plot.xlabeldefault=BJD_TDB\n"
        ".plot.detrendlabel0_1=AIRMASS\n.plot.detrendlabel0_0=Width_T1\n"
        ".plot.detrendlabel1_0=\n.plot.title=a\\=b\n"
    )
    found = read_plotcfg(path)
    assert found.curves == {0: "rel_flux_T1"}
    assert found.detrend == {0: ("Width_T1", "AIRMASS")}
    assert found.values["plot.title"] == "a=b"


@pytest.mark.parametrize(
    ("reader", "content"),
    [
        (read_apertures, "no settings"),
        (read_apertures, ".aperture.radius=5\n"),
        (read_apertures, ".multiaperture.xapertures=1,2\n.multiaperture.yapertures=1\n"),
        (read_apertures, ".multiaperture.xapertures=1,two\n"),
        (read_apertures, ".multiaperture.xapertures=1\n.aperture.radius=big\n"),
        (read_radec, "# nothing\n"),
        (read_radec, "2.1\n"),
        (read_radec, "two, three\n"),
        (read_ds9, "icrs\ncircle(a,b,c)\n"),
        (read_ds9, "image\ncircle(1)\n"),
        (read_ds9, "galactic\ncircle(1,2,3)\n"),
    ],
)
def test_broken_files_are_named(reader, content, tmp_path):
    path = tmp_path / "odd.file"
    path.write_text(content)
    with pytest.raises(InputError, match=r"odd\.file"):
        reader(path)


@pytest.mark.parametrize("scale", [None, 1.25])
def test_regions_there_and_back(plan, scale, tmp_path):
    path = write_ds9(tmp_path / "x.reg", plan, radius=4.0, annulus=(8, 12), scale_arcsec=scale)
    found = [r for r in read_ds9(path) if r.shape == "circle"]
    assert [r.text for r in found] == list(plan.star_id)
    x, y = (plan.x_ref, plan.y_ref) if scale is None else (plan.ra_deg, plan.dec_deg)
    np.testing.assert_allclose([r.x for r in found], x, atol=1e-9)
    np.testing.assert_allclose([r.y for r in found], y, atol=1e-9)
    assert found[0].radii == pytest.approx((4.0 * (scale or 1),))
    rings = [r for r in read_ds9(path) if r.shape == "annulus"]
    assert len(rings) == (plan.role != "field").sum()


def test_regions_of_others(tmp_path):
    path = tmp_path / "x.reg"
    path.write_text(
        "# Region file format: DS9\nglobal color=green\n"
        'fk5;circle(02:04:10.278,-00:30:00,6") # text="the star"\n'
        "box(1,2,3,4,0)\nimage\n-circle 11 21 5 # text={C2}\npoint(3,4) # point=cross\n"
    )
    sky, circle, point = read_ds9(path)
    assert (sky.system, sky.text, sky.radii) == ("icrs", "the star", (6.0,))
    assert sky.x == pytest.approx(31.042825)
    assert sky.y == pytest.approx(-0.5)
    assert (circle.x, circle.y, circle.radii, circle.text) == (10, 20, (5.0,), "C2")
    assert (point.x, point.y, point.radii) == (2, 3, ())
