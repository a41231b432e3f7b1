"""Services asked through the real clients, on loopback: what comes back, and where it is put."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from lightcurve.catalogs.bands import bands_of, sources_for
from lightcurve.catalogs.crossmatch import crossmatch
from lightcurve.catalogs.known_stars import star_source
from lightcurve.catalogs.layout import Field, Server
from lightcurve.catalogs.services import SERVICES, query, server_names
from lightcurve.cli import app
from lightcurve.core.data import Site
from lightcurve.core.errors import InputError
from lightcurve.core.settings import CatalogSettings
from services_tables import CENTRE

JD = 2457021.7
FIELD = Field(*CENTRE, 0.2, 2014.99, JD, "688")


def settings(server, **changes):
    return CatalogSettings(servers=server.servers, timeout_s=60, **changes)


def ask(server, *names, field=FIELD, **changes):
    catalogs, reports = query(names, field, settings(server, **changes))
    return catalogs, {r.name: r for r in reports}


def test_every_service_has_a_file_of_its_own_and_says_what_to_cite():
    for service in SERVICES:
        assert service.reference
        assert service.title
    with pytest.raises(InputError, match="no service 'hubble'"):
        SERVICES.get("hubble")
    astray = CatalogSettings(servers={"vizer": "https://example.org"})
    with pytest.raises(InputError, match="no server 'vizer'"):
        query((), FIELD, astray)


def test_gaia_comes_with_magnitudes_and_positions_at_the_frames_epoch(services):
    from astropy import units as u
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

    catalogs, reports = ask(services, "gaia")
    gaia, truth = catalogs["gaia"], services.tables["I/355/gaiadr3"]
    assert reports["gaia"].status == "ok"
    assert reports["gaia"].server == services.servers["vizier"]
    rows = {str(s): i for i, s in enumerate(truth["Source"])}
    at = truth[[rows[i] for i in gaia.ids]]
    assert len(at) > 100
    np.testing.assert_allclose(gaia.number("g_mag"), at["Gmag"], rtol=1e-6)
    # One star has a motion in declination alone: it stays where it is.
    half = np.ma.getmaskarray(at["pmRA"]) | np.ma.getmaskarray(at["pmDE"])
    pm = {c: np.where(half, 0.0, np.asarray(at[c], dtype=float)) for c in ("pmRA", "pmDE")}
    moved = SkyCoord(
        ra=np.array(at["RA_ICRS"]) * u.deg,
        dec=np.array(at["DE_ICRS"]) * u.deg,
        pm_ra_cosdec=pm["pmRA"] * u.mas / u.yr,
        pm_dec=pm["pmDE"] * u.mas / u.yr,
        distance=np.full(len(at), 1e3) * u.pc,
        obstime=Time(2016.0, format="jyear"),
    ).apply_space_motion(Time(2014.99, format="jyear"))
    apart = moved.separation(SkyCoord(gaia.ra_deg, gaia.dec_deg, unit="deg")).mas
    assert np.max(apart) < 0.05
    still = ~np.isfinite(gaia.number("pm_ra") + gaia.number("pm_dec"))
    assert np.all(gaia.error_arcsec[~still] == 0.001)
    assert gaia.columns["pm_ra"].unit == "mas / yr"
    assert all(c.description for c in gaia.columns.values())


def test_gaia_is_fetched_from_esa_when_vizier_is_down(services):
    first = ask(services, "gaia")[0]["gaia"]
    services.trouble["vizier"] = "recorded error"
    catalogs, reports = ask(services, "gaia", cache_days=0)
    assert reports["gaia"].status == "cached"  # the old answer is nearer than another server
    other = Field(CENTRE[0] + 0.1, CENTRE[1], 0.2, 2014.99)
    catalogs, reports = ask(services, "gaia", field=other)
    assert reports["gaia"].status == "ok"
    assert reports["gaia"].server == services.servers["gaia"]
    assert "not currently reachable" in reports["gaia"].reason
    both = set(first.ids) & set(catalogs["gaia"].ids)
    assert len(both) > 50


def test_synthetic_photometry_has_both_systems_under_names_that_differ(services):
    catalog = ask(services, "gaia_synthetic")[0]["gaia_synthetic"]
    assert np.nanmedian(catalog.number("jkc_u_mag") - catalog.number("g_mag")) > 0.5
    assert len({c.lower() for c in catalog.columns}) == len(catalog.columns)
    assert set(catalog.number("sdss_r_ok")) == {1.0}
    assert np.all(catalog.number("jkc_v_mag_err") == 0.01)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("panstarrs", ("g_mag", "r_mag", "i_mag", "z_mag", "y_mag", "r_kron_mag")),
        ("skymapper", ("u_mag", "v_mag", "g_mag", "r_mag", "i_mag", "z_mag", "star_likeness")),
        ("sdss", ("u_mag", "g_mag", "r_mag", "i_mag", "z_mag", "class")),
        ("twomass", ("j_mag", "h_mag", "k_mag")),
        ("apass", ("b_mag", "v_mag", "g_mag", "r_mag", "i_mag")),
        ("vsx", ("period", "max_mag")),
        ("simbad", ("v_mag", "b_mag")),
        ("milliquas", ("redshift",)),
    ],
)
def test_a_catalogue_comes_with_its_columns_and_units(services, name, columns):
    catalogs, reports = ask(services, name)
    assert reports[name].status == "ok", reports[name]
    assert "no column" not in reports[name].reason
    catalog = catalogs[name]
    assert len(catalog) == reports[name].n > 0
    for column in columns:
        assert np.isfinite(catalog.number(column)).any(), column
    assert all(c.unit == "mag" for n, c in catalog.columns.items() if n.endswith("_mag"))
    assert np.all(catalog.error_arcsec > 0)


def test_an_old_position_without_motion_is_less_certain(services):
    catalogs, _ = ask(services, "twomass", "milliquas")
    # 15.5 years at 10 mas a year, and 0.07" of its own.
    np.testing.assert_allclose(catalogs["twomass"].error_arcsec, np.hypot(0.07, 0.1549), rtol=1e-3)
    assert np.all(catalogs["milliquas"].error_arcsec == 0.5)


def test_solar_system_objects_are_asked_for_at_mid_exposure_from_the_site(services):
    field = Field(81.2833, 4.49278, 0.25, 2025.0, 2460677.5001157, "688")
    catalogs, reports = ask(services, "skybot", field=field)
    asked = services.asked[-1][1]
    assert "-ep=2460677.500116" in asked
    assert "-loc=688" in asked
    assert "-refsys=EQJ2000" in asked
    skybot = catalogs["skybot"]
    assert list(skybot.ids) == ["G!kun||'homdima", "2014 UP224", "2019 RB21", "2007 TE366"]
    # 05 25 12.7657 +04 29 25.081, by hand.
    assert skybot.ra_deg[0] == pytest.approx(15 * (5 + 25 / 60 + 12.7657 / 3600), abs=1e-9)
    assert skybot.dec_deg[0] == pytest.approx(4 + 29 / 60 + 25.081 / 3600, abs=1e-9)
    assert skybot.text("type")[3] == "Mars-Crosser"
    assert skybot.number("rate_ra")[2] == pytest.approx(-28.383)
    assert reports["skybot"].status == "ok"


def test_a_site_without_a_code_gets_its_own_parallax(services):
    from astropy import units as u
    from astropy.coordinates import EarthLocation, SkyCoord
    from astropy.time import Time

    where = Site(31.68, -110.88, 1268.0)
    field = Field(81.2833, 4.49278, 0.25, 2025.0, 2460677.7, None, where)
    geocentre = ask(services, "skybot", field=Field(81.2833, 4.49278, 0.25, 2025.0, 2460677.7))
    assert "Earth's centre" in geocentre[1]["skybot"].reason
    here = ask(services, "skybot", field=field)[0]["skybot"]
    place = EarthLocation(
        lon=where.longitude_deg * u.deg, lat=where.latitude_deg * u.deg, height=1268 * u.m
    )
    shift = place.get_gcrs_posvel(Time(2460677.7, format="jd"))[0].xyz
    there = geocentre[0]["skybot"]
    seen = SkyCoord(
        there.ra_deg, there.dec_deg, there.number("distance") * u.au, unit=("deg", "deg")
    )
    x, y, z = seen.cartesian.xyz - shift[:, None]
    truth = SkyCoord(x=x, y=y, z=z, representation_type="cartesian").spherical
    moved = SkyCoord(here.ra_deg, here.dec_deg, unit="deg")
    apart = moved.separation(SkyCoord(truth.lon, truth.lat)).arcsec
    assert np.max(apart) < 0.002
    assert np.max(SkyCoord(there.ra_deg, there.dec_deg, unit="deg").separation(moved).arcsec) > 1


def test_solar_system_objects_are_not_asked_for_without_a_time(services):
    catalogs, reports = ask(services, "skybot", field=Field(*CENTRE, 0.2, 2015.0))
    assert catalogs == {}
    assert (reports["skybot"].status, services.asked) == ("skipped", [])
    assert "time of the frame" in reports["skybot"].reason


def test_near_stars_are_found_where_they_are_now(services):
    catalog = ask(services, "tenparsec", field=Field(*CENTRE, 0.05, 2026.0))[0]["tenparsec"]
    assert list(catalog.ids) == ["Near A"]
    moved = (catalog.ra_deg[0] - CENTRE[0]) * np.cos(np.radians(CENTRE[1])) * 3600
    assert moved == pytest.approx(36.0, abs=0.01)
    assert "WHERE" not in services.asked[-1][1]


def test_alerts_need_a_key_which_is_never_written(services, monkeypatch, tmp_path):
    reports = ask(services, "colibri")[1]
    assert reports["colibri"].status == "skipped"
    assert "ASTROCOLIBRI_API" in reports["colibri"].reason
    monkeypatch.setenv("ASTROCOLIBRI_API", "sesame-open")
    services.events[:] = [
        {
            "source_name": "AT 2014zz\x1b[31m",
            "type": "ot",
            "ra": CENTRE[0],
            "dec": CENTRE[1],
            "classification": "None",
            "err": "None",
        },
        {"source_name": "nowhere", "ra": "None", "dec": None},
        "not an event",
    ]
    catalogs, reports = ask(services, "colibri")
    assert list(catalogs["colibri"].ids) == ["AT 2014zz [31m"]
    assert catalogs["colibri"].text("classification")[0] == ""
    assert '"uid": "sesame-open"' in services.asked[-1][1]
    assert "sesame" not in str(reports)
    kept = list(tmp_path.rglob("*"))
    assert len(kept) > 1
    import gzip

    for path in kept:
        assert "sesame" not in path.name
        if path.is_file():
            assert b"sesame" not in gzip.decompress(path.read_bytes())


def test_the_bright_ones_are_kept_where_rows_are_cut(services):
    """The rows that a server gives first are of one corner of the field."""
    whole = ask(services, "panstarrs")[0]["panstarrs"].number("r_mag")
    for name in ("panstarrs", "gaia"):
        services.asked.clear()
        cut, reports = ask(services, name, max_rows=40)
        mag = cut[name].number("g_mag" if name == "gaia" else "r_mag")
        assert "40 rows" in reports[name].reason
        everything = ask(services, name, cache_days=0)[0][name]
        column = "g_mag" if name == "gaia" else "r_mag"
        faintest = np.sort(everything.number(column))[len(mag) - 1]
        assert np.nanmax(mag) == pytest.approx(faintest, abs=0.3)
    assert len(whole) > 100
    services.asked.clear()
    ask(services, "panstarrs", max_rows=5000, cache_days=0)
    assert not any("ORDER" in question for _, question in services.asked)


def test_sdss_magnitudes_are_those_of_the_psf(services):
    """For stars; the server's model magnitudes are 0.3 mag fainter."""
    catalogs, _ = ask(services, "sdss", "panstarrs")
    difference = catalogs["sdss"].number("r_mag") - catalogs["panstarrs"].number("r_mag")
    assert np.nanmax(np.abs(difference)) == 0


def objects(catalog):
    return catalog.ra_deg, catalog.dec_deg, catalog.error_arcsec


def test_real_sources_meet_their_own_stars_in_every_catalogue(services):
    field = Field(*CENTRE, 0.2, 2014.99)
    names = ("gaia", "panstarrs", "twomass", "vsx", "simbad")
    catalogs, _ = query(names, field, settings(services))
    rng = np.random.default_rng(2)
    gaia = catalogs["gaia"]
    seen = gaia.dec_deg + rng.normal(0, 0.1, len(gaia)) / 3600
    for name in ("panstarrs", "twomass"):
        found = crossmatch((gaia.ra_deg, seen, 0.1), objects(catalogs[name]))
        # Made of the same rows: the k-th star is the k-th, up to what the cone cut.
        assert found.mutual.sum() >= 0.97 * len(gaia)
    found = crossmatch((gaia.ra_deg, seen, 0.1), objects(catalogs["simbad"]))
    assert found.mutual.sum() == len(catalogs["simbad"])


def test_progress_counts_the_services(services):
    told = []

    def count(items, description, total=None):
        for item in items:
            told.append((description, total))
            yield item

    query(("vsx", "simbad"), FIELD, settings(services), progress=count)
    assert told == [("asking catalogues", 2)] * 2


def test_nothing_heavy_and_no_server_at_import():
    code = (
        "import sys, lightcurve.catalogs.services, lightcurve.catalogs.bands\n"
        "heavy = {'astropy', 'astroquery', 'pyvo', 'requests', 'scipy', 'pandas', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_service_is_registered_once_and_known_everywhere(services, monkeypatch):
    """One more survey of stars: in the help, the manual, the standards and the answers."""
    panstarrs = SERVICES.get("panstarrs")

    def read(body, field):
        catalog = panstarrs.routes[0].read(body, field)
        return replace(catalog, name="dummy", title="Dummy Survey")

    address = services.servers["vizier"]
    route = replace(panstarrs.routes[0], server=Server("dummies", address), read=read)
    dummy = replace(
        panstarrs, name="dummy", title="Dummy Survey", routes=(route,), bands={"y_ps1": "y_mag"},
        reference_frame=True,
    )  # fmt: skip
    monkeypatch.setattr(SERVICES, "entries", dict(SERVICES.entries))
    SERVICES.register(dummy)
    catalogs, reports = ask(services, "dummy")
    assert reports["dummy"].status == "ok"
    assert reports["dummy"].server == address
    assert "dummies" in server_names()
    assert star_source("dummy", settings(services)).name == "dummy"
    assert bands_of(catalogs["dummy"]) == {"y_ps1": "y_mag"}
    assert "dummy" in sources_for("Y", 50.0)
    assert "dummy" not in sources_for("Y", -50.0)
    assert dummy.in_markdown.startswith("| `dummy` | Dummy Survey: Chambers")
    shown = CliRunner().invoke(app, ["image", "--help"], env={"COLUMNS": "300"}).stdout
    assert "or dummy (Dummy Survey)" in shown
