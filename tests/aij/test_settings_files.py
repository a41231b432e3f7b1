"""Stars, radii and detrending from AstroImageJ's settings files; DS9 regions."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.aij.settings_files import read_apertures, read_plotcfg, read_radec
from lightcurve.aij.write_table import write_apertures
from lightcurve.core.errors import InputError
from sim_cube import CubeTruth, simulate_cube


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
    ],
)
def test_broken_files_are_named(reader, content, tmp_path):
    path = tmp_path / "odd.file"
    path.write_text(content)
    with pytest.raises(InputError, match=r"odd\.file"):
        reader(path)
