"""An asteroid rendered among the stars of EY UMa: found, placed and measured as it was put in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time

from lightcurve.core.data import Figures
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.image.moving import Followed, _write, follow_object
from lightcurve.image.path import Wanted
from sim_image import Observatory, offline, render_frame

SITE = Observatory(shape=(300, 300), scale=1.5, wcs_error_px=0.0, exposure=120.0)
CENTRE = (135.5509, 49.8429)
START = Time("2015-07-02T09:00:00", scale="utc").jd
RATE = 0.03  # arcsec a second: 1.8 a minute, as of an asteroid near the Earth
MAG = 15.5
OFF = (3.0, -2.0)  # arcsec east and north of the path that is told
FRAMES = 4


def place(jd: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the asteroid is: it moves to the north-east, and misses bright stars."""
    moved = RATE * (np.asarray(jd) - START) * 86400 / 3600
    dec = CENTRE[1] + 0.02 + moved * 0.6
    return CENTRE[0] + 0.01 + moved * 0.8 / np.cos(np.radians(CENTRE[1])), dec


@pytest.fixture(scope="module")
def followed(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Followed:
    folder = tmp_path_factory.mktemp("asteroid")
    catalog = shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv"
    table = Table.read(catalog)
    ra, dec, mag = (np.asarray(table[n], dtype=float) for n in ("RA_ICRS", "DE_ICRS", "rmag"))
    for k in range(FRAMES):
        mid = START + k * 400 / 86400
        here = [np.append(one, new) for one, new in zip((ra, dec), place(mid), strict=True)]
        path = folder / f"f{k}.fits"
        render_frame(path, *here, np.append(mag, MAG), SITE, center=CENTRE, seed=k)
        start = Time(mid - SITE.exposure / 2 / 86400, format="jd").isot
        fits.setval(path, "DATE-OBS", value=start)
    jd = START + np.array([0.0, 0.02])
    ra, dec = place(jd)
    ra, dec = ra - OFF[0] / 3600 / np.cos(np.radians(dec)), dec - OFF[1] / 3600
    given = [f"{Time(t, format='jd').isot} {a} {d}" for t, a, d in zip(jd, ra, dec, strict=True)]
    settings = offline(catalog, injected=0)
    observer = settings.observer.model_copy(
        update={"name": "A. Nother", "camera_kind": "CCD", "telescope_design": "Reflector"}
    )
    camera = settings.camera.model_copy(update={"telescope_diameter_m": 0.5})
    image = settings.image.model_copy(update={"mpc_code": "G96"})
    settings = settings.model_copy(update={"observer": observer, "camera": camera, "image": image})
    return follow_object([folder], settings, Wanted.typed("433", given), folder / "out")


def test_it_is_found_though_its_path_is_off(followed: Followed) -> None:
    assert len(followed.sights) == FRAMES
    assert followed.offset_arcsec == pytest.approx(OFF, abs=0.3)


def test_places_and_magnitudes_are_the_truth_within_their_errors(followed: Followed) -> None:
    good = [one for one in followed.sights if one.good]
    assert len(good) >= FRAMES - 1
    ra, dec = place(np.array([one.mid_jd_utc for one in good]))
    east = np.array([one.ra_deg for one in good]) - ra
    off = np.column_stack(
        [east * np.cos(np.radians(dec)), np.array([one.dec_deg for one in good]) - dec]
    )
    pull = off * 3600 / np.array([[one.error_arcsec] for one in good])
    assert np.abs(pull).max() < 4
    assert 0.4 < np.sqrt((pull**2).mean()) < 1.8
    mag_pull = np.array([(one.mag - MAG) / one.mag_err for one in good])
    assert np.abs(mag_pull).max() < 4


def test_what_is_written_is_read_by_the_standard_s_own_schema(followed: Followed) -> None:
    import ades
    from lxml import etree

    schema = Path(ades.__file__).parent / "data" / "xsd" / "submit.xsd"
    etree.XMLSchema(etree.parse(str(schema))).assertValid(
        etree.parse(str(followed.files["ades.xml"]))
    )


def test_one_place_is_no_path() -> None:
    with pytest.raises(InputError):
        Wanted.typed("x", ["2024-01-01T00:00:00 10 10"])


def test_what_is_on_no_frame_has_no_picture(tmp_path: Path) -> None:
    fits.writeto(tmp_path / "blank.fits", np.ones((40, 40), np.float32))
    (tmp_path / "moving.png").write_bytes(b"of an earlier run")
    wanted = Wanted.typed("433", ["2024-01-05T20:00:00 10.0 20.0", "2024-01-05T22:00:00 10.1 20.0"])
    found = follow_object([tmp_path / "blank.fits"], Settings(), wanted, tmp_path)
    assert set(found.files) == {"moving.csv"}
    assert not (tmp_path / "moving.png").exists()


def test_its_figure_is_drawn_where_all_are_wanted(followed: Followed, tmp_path: Path) -> None:
    for figures in Figures:
        files = _write(tmp_path, followed.track, followed.sights, followed.stamps, None, figures)
        assert ("moving.png" in files) == (figures == Figures.ALL)
