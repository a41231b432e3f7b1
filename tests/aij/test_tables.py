"""AstroImageJ tables: every real one is read, ours are read back, ratios agree with theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time

from lightcurve.aij.read_table import read_aij_table, relative_flux
from lightcurve.aij.relative_flux import leave_one_out
from lightcurve.aij.write_table import write_measurements
from lightcurve.core.data import About, Aperture, Site
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.curve.choose import choose_curve
from sim_cube import CubeTruth, simulate_cube

HEADERLESS = "three_columns_no_header.txt"
REDUCED = "TIC_8348911.01_26012021_TRAPPIST-North_I+z_measurements.txt"


def _tables(shared_data):
    found = sorted((shared_data / "aij-tables").iterdir())
    found = [p for p in found if p.suffix != ".aperture"]
    return found + sorted((shared_data / "hatp32-aij").glob("hatp32*"))


def test_every_real_table_gives_times_stars_and_fluxes(shared_data):
    for path in _tables(shared_data):
        names = ("BJD_TDB", "rel_flux_T1", "rel_flux_err_T1") if path.name == HEADERLESS else None
        table = read_aij_table(path, columns=names)
        n_rows = sum(1 for line in path.read_text().splitlines() if line.strip())
        assert len(table) == n_rows - (path.name != HEADERLESS), path.name
        times = table.times()
        assert times, path.name
        for values in times.values():
            assert (np.abs(values[np.isfinite(values)] - 2459000) < 3000).all(), path.name
        assert "T1" in table.stars
        assert np.isfinite(table.star("rel_flux")).all(), path.name


def test_every_full_table_agrees_with_its_own_ratios(shared_data):
    checked = 0
    for path in _tables(shared_data):
        if path.name in {HEADERLESS, REDUCED}:
            continue
        table = read_aij_table(path)
        flux, error = relative_flux(table)
        np.testing.assert_allclose(flux, table.star("rel_flux"), rtol=3e-5, err_msg=path.name)
        np.testing.assert_allclose(error, table.star("rel_flux_err"), rtol=1e-2, err_msg=path.name)
        checked += 1
    assert checked >= 22


def test_what_a_real_table_lacks_or_spoils_is_named(shared_data):
    folder = shared_data / "aij-tables"
    resaved = read_aij_table(folder / "wasp3_spreadsheet_resaved.csv")
    assert any(n.about is About.COARSE_TIMES and n.subject == "BJD_TDB" for n in resaved.unusable)
    step = np.diff(resaved.times()["JD_UTC"])
    assert (step > 0).all(), "the finer J.D.-2400000 stands in for the coarse JD_UTC"
    amher = read_aij_table(folder / "amher.tbl")
    assert "BJD_TDB" not in amher.times()
    assert any("BJD_TDB holds no times" in note.text for note in amher.unusable)
    reduced = read_aij_table(folder / REDUCED)
    assert "JD_UTC" in reduced.missing
    mixed = read_aij_table(folder / "TIC8348911-01_20210401_TRAPPIST-South_I+z_Measurements.txt")
    assert mixed.stars[:4] == ("T1", "T2", "C3", "C4")


def test_no_header_needs_names_and_says_so(shared_data):
    path = shared_data / "aij-tables" / HEADERLESS
    with pytest.raises(InputError, match="--columns"):
        read_aij_table(path)
    with pytest.raises(InputError, match="2 names in --columns for 3"):
        read_aij_table(path, columns=("a", "b"))


def test_odd_layouts(tmp_path):
    path = tmp_path / "odd.xls"
    head = " \tLabel\tJD_UTC\tSource-Sky_T1\tSource-Sky_C2\tSource-Sky_T3\tSource-Sky_T1\n"
    rows = '1\t"a b.fits"\t2459000.5\t10\t20\t5\t10\n'
    text = "# AIJ_version 6.9\n" + head + rows + head + "2\tc.fits\t2459000.6\t11\t22\tNaN\t11\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    table = read_aij_table(path)
    assert table.metadata == {"version": "6.9"}
    assert list(table.labels) == ["a b.fits", "c.fits"]
    assert table.stars == ("T1", "C2", "T3")
    assert table.comparisons == ("C2",)
    np.testing.assert_array_equal(table.block("Source-Sky"), [[10, 20, 5], [11, 22, np.nan]])
    assert any("stands twice" in note.text for note in table.unusable)
    path.write_text(head + "1\ta.fits\t2459000.5\t10\n")
    table = read_aij_table(path)
    assert np.isnan(table.star("Source-Sky", "C2")).all()
    assert any("do not have the header's" in note.text for note in table.unusable)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_decimal_comma(separator, tmp_path):
    path = tmp_path / "european.csv"
    lines = [["Label", "JD_UTC", "rel_flux_T1"], ["a", "2459000,5", "0,25"], ["b", "2459000,6", ""]]
    path.write_text("\n".join(separator.join(cells) for cells in lines) + "\n")
    table = read_aij_table(path)
    np.testing.assert_array_equal(table.columns["JD_UTC"], [2459000.5, 2459000.6])
    np.testing.assert_array_equal(table.star("rel_flux"), [0.25, np.nan])


@pytest.mark.parametrize("content", ["", "only words\n", "a,b\n", "key=value\n"])
def test_what_is_no_table_is_refused(content, tmp_path):
    path = tmp_path / "odd.tbl"
    path.write_text(content)
    with pytest.raises(InputError, match=r"odd\.tbl"):
        read_aij_table(path)


def test_leave_one_out_by_hand():
    flux = np.array([[10.0, 20, 30, 5]])
    total, error = leave_one_out(flux, np.ones((1, 4)), np.array([False, True, True, False]))
    np.testing.assert_array_equal(total, [[50, 30, 20, 50]])
    np.testing.assert_allclose(error, np.sqrt([[2, 1, 1, 2]]))
    flux[0, 3] = np.nan
    total, _ = leave_one_out(flux, np.ones((1, 4)), np.array([False, True, True, False]))
    np.testing.assert_array_equal(total, [[50, 30, 20, 50]])
    flux[0, 1] = np.nan
    total, _ = leave_one_out(flux, np.ones((1, 4)), np.array([False, True, True, False]))
    np.testing.assert_array_equal(total, [[np.nan, 30, np.nan, np.nan]])


@pytest.fixture(scope="module")
def night():
    cube = simulate_cube(np.ones(30), CubeTruth(n_stars=10), np.random.default_rng(5))
    return cube, choose_curve(cube, Settings())


@pytest.mark.parametrize("name", ["measurements.csv", "measurements.tbl"])
def test_what_we_write_is_read_back_without_loss(night, name, tmp_path):
    cube, curve = night
    path = write_measurements(tmp_path / name, cube, curve, image_height=1000)
    table = read_aij_table(path)
    assert list(table.labels) == list(cube.file)
    assert table.stars[0] == "T1"
    assert [int(star[1:]) for star in table.stars] == list(range(1, len(table.stars) + 1))
    k = curve.recipe.comparison_rows[0]
    star = table.stars[k]
    assert star == f"C{k + 1}"
    np.testing.assert_array_equal(table.star("Source-Sky"), curve.target_flux)
    np.testing.assert_array_equal(table.columns["JD_UTC"], cube.jd_utc)
    np.testing.assert_array_equal(table.columns["BJD_TDB"], cube.bjd_tdb)
    np.testing.assert_array_equal(table.star("X(IJ)", star), cube.x[:, k] + 0.5)
    np.testing.assert_array_equal(table.star("X(FITS)", star), cube.x[:, k] + 1)
    # AIJ.md: X(FITS) = X(IJ) + 0.5, Y(FITS) = NAXIS2 - Y(IJ) + 0.5
    np.testing.assert_allclose(
        table.star("Y(FITS)", star), 1000 - table.star("Y(IJ)", star) + 0.5, rtol=0, atol=1e-9
    )
    np.testing.assert_array_equal(table.star("RA", star) * 15, np.full(30, cube.plan.ra_deg[k]))
    flux, error = relative_flux(table)
    np.testing.assert_allclose(flux, table.star("rel_flux"), rtol=1e-14)
    np.testing.assert_allclose(error, table.star("rel_flux_err"), rtol=1e-14)
    snr = table.star("rel_flux") / table.star("rel_flux_err")
    np.testing.assert_allclose(table.star("rel_flux_SNR"), snr, rtol=1e-14)


def test_a_star_that_leaves_the_frame_is_no_comparison_of_the_plain_sum(night, tmp_path):
    cube, curve = night
    k = curve.recipe.comparison_rows[-1]
    flux = cube.flux.copy()
    flux[10:, k] = np.nan
    cube = replace(cube, flux=flux)
    table = read_aij_table(write_measurements(tmp_path / "m.csv", cube, curve, image_height=1000))
    assert f"T{k + 1}" in table.stars
    assert np.isfinite(table.star("rel_flux")).all()


def test_column_order_is_astroimagejs(night, shared_data, tmp_path):
    cube, curve = night
    path = write_measurements(tmp_path / "m.csv", cube, curve, image_height=1000)
    ours = path.read_text().splitlines()[0].split(",")
    theirs = (shared_data / "hatp32-aij" / "hatp32_aij_with_times.csv").read_text()
    theirs = theirs.splitlines()[0].split(",")

    def shape(columns):
        kept = [c for c in columns if not c.startswith("Variance")]
        return [c for c in kept if "_" not in c or c.split("_")[-1][0] not in "TC" or "T1" in c]

    assert shape(ours) == shape(theirs)


def test_heliocentric_time_and_altitude_are_those_of_astropy(night, tmp_path):
    cube, curve = night
    cube = replace(cube, site=Site(31.68, -110.88, 2345.0))
    path = write_measurements(tmp_path / "m.csv", cube, curve, image_height=1000)
    columns = read_aij_table(path).columns
    place = EarthLocation.from_geodetic(-110.88, 31.68, 2345.0)
    star = SkyCoord(cube.plan.ra_deg[0], cube.plan.dec_deg[0], unit="deg")
    moment = Time(cube.jd_utc, format="jd", scale="utc", location=place)
    helio = moment + moment.light_travel_time(star, "heliocentric")
    assert np.abs(columns["HJD_UTC"] - helio.utc.jd).max() * 86400 < 0.01
    altitude = star.transform_to(AltAz(obstime=moment, location=place)).alt.deg
    np.testing.assert_allclose(columns["ALT_OBJ"], altitude, rtol=0, atol=0.01)
    without = write_measurements(
        tmp_path / "n.csv", replace(cube, site=None), curve, image_height=1000
    )
    assert np.isnan(read_aij_table(without).columns["ALT_OBJ"]).all()


def test_angles_and_variable_apertures_are_written_astroimagej_s_way(night, tmp_path):
    cube, curve = night
    angle = np.full_like(cube.x, 30.0)  # from +x towards the top; AstroImageJ's rows go down
    used = np.linspace(4.0, 6.0, len(cube.file))
    cube = replace(
        cube, angle_deg=angle, radii=cube.radii[[2]], radius_used=used, fwhm_factor=1.4,
        **{name: getattr(cube, name)[:, :, [2]]
           for name in ("flux", "flux_err", "area", "peak", "flags")},
    )  # fmt: skip
    curve = replace(curve, recipe=replace(curve.recipe, aperture=Aperture("width", 1.4)))
    table = read_aij_table(write_measurements(tmp_path / "m.tbl", cube, curve, image_height=1000))
    assert (table.star("Angle") == 330).all()
    np.testing.assert_array_equal(table.columns["Source_Radius"], used)
    assert (table.columns["FWHM_Mult"] == 1.4).all()
    assert (table.columns["Source_Rad(base)"] == cube.radii[0]).all()
