"""Light curves of space telescopes: their times, quality bits, exposures and crowding."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.compare.tables import read_side
from lightcurve.core.errors import InputError
from lightcurve.core.flags import Flag
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from space_files import observe, write_light_curve

LAYOUTS = (
    ("TESS", "spoc", 20.0, 0.6), ("TESS", "spoc", 120.0, 3.0), ("TESS", "qlp", 1800.0, 27.0),
    ("TESS", "tglc", 200.0, 5.0), ("TESS", "eleanor", 600.0, 27.0),
    ("Kepler", "spoc", 1765.4637, 27.0), ("K2", "spoc", 1765.4637, 27.0),
    ("K2", "k2sff", 1765.4637, 27.0),
)  # fmt: skip


@pytest.mark.parametrize(("mission", "layout", "cadence_s", "days"), LAYOUTS)
def test_each_layout_gives_times_exposure_and_what_is_spoilt(
    mission, layout, cadence_s, days, tmp_path
):
    sector = observe(2, mission, cadence_s=cadence_s, days=days)
    curve = read_curve(write_light_curve(tmp_path / "lc.fits", sector, layout))
    np.testing.assert_allclose(curve.bjd_tdb, sector.bjd_tdb, atol=1e-8)
    assert curve.source is not None
    assert curve.source.exposure_s == pytest.approx(cadence_s, rel=1e-4)
    assert curve.source.filter == ("TESS" if mission == "TESS" else "Kepler")
    lost = (curve.flags & int(Flag.NOT_MEASURED)) != 0
    spoilt = sector.quality & (32 | 1048576) != 0
    assert lost[spoilt].all()
    cosmic = (sector.quality & (64 | 128) != 0) & ~spoilt
    if layout in {"spoc", "eleanor"}:  # others have no such bits, or more of their own
        assert (~lost[cosmic & np.isfinite(curve.flux)]).all()
    left = (curve.flux / sector.light)[~lost]
    assert np.median(left) == pytest.approx(1, abs=0.003)
    assert np.std(left) < 4 / np.sqrt(5000 * cadence_s)


def test_crowding_is_used_where_it_was_not_yet(tmp_path):
    path = write_light_curve(tmp_path / "lc.fits", observe(3, days=2.0), crowd=0.8)
    assert read_curve(path).dilution is None
    raw = read_curve(path, ColumnChoice(flux="SAP_FLUX"))
    assert raw.dilution is not None
    assert raw.dilution.value == pytest.approx(0.8)


def edited(path, **cards):
    with fits.open(path, mode="update") as hdus:
        for key, value in cards.items():
            hdus[0].header[key] = value
    return read_curve(path)


def test_times_that_the_missions_said_were_wrong_are_put_right(tmp_path):
    kepler = observe(4, "Kepler", cadence_s=1765.4637, days=9.0)
    path = write_light_curve(tmp_path / "kepler.fits", kepler)
    late = edited(path, FILEVER="4.0").bjd_tdb - kepler.bjd_tdb
    np.testing.assert_allclose(late * 86400, 66.184, atol=1e-3)  # 34 leap seconds and TT - TAI
    tess = observe(4, days=2.0)
    path = write_light_curve(tmp_path / "tess.fits", tess)
    np.testing.assert_allclose(edited(path, DATA_REL=56).bjd_tdb, tess.bjd_tdb, atol=1e-9)
    early = (edited(path, DATA_REL=8).bjd_tdb - tess.bjd_tdb) * 86400
    np.testing.assert_allclose(early, -1.979, atol=1e-3)


def test_other_times_and_files_without_any_are_refused(tmp_path):
    sector = observe(5, days=2.0)
    path = write_light_curve(tmp_path / "lc.fits", sector)
    whole = path.read_bytes()
    for size in (3000, 9000, len(whole) // 2):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError):
            read_curve(path)
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(path, overwrite=True)
    with pytest.raises(InputError, match="no light curve"):
        read_curve(path)


def test_a_card_that_is_none_is_a_refusal(tmp_path):
    path = write_light_curve(tmp_path / "lc.fits", observe(6, days=1.0))
    path.write_bytes(path.read_bytes().replace(b"TFORM1  = 'D ", b"TFORM1  = D' "))
    with pytest.raises(InputError, match="FITS table"):
        read_curve(path)


def test_a_file_of_the_mission_is_looked_at_and_compared_as_any_table(tmp_path):
    path = write_light_curve(tmp_path / "lc.fits", observe(6, cadence_s=600.0, days=2.0))
    assert np.isfinite(read_curve(path, any_scale=True).bjd_tdb).all()
    side = read_side(path, ColumnChoice())
    assert side.curve is not None
    assert "PDCSAP_FLUX" in side.table.columns
