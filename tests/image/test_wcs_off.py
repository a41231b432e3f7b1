"""A header's WCS some pixels off, on frames with a cluster: put right, and no star becomes new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from field import Cluster, FieldSpec, Rendered, on_sky, render, write_catalog, write_frame
from lightcurve.core.progress import Clock
from lightcurve.core.settings import Settings, make_settings
from lightcurve.image.reduced import Reduced
from lightcurve.image.story import measure_image

SPEC = FieldSpec(
    shape=(420, 420), n_stars=90, flux_range=(2000.0, 60_000.0),
    cluster=Cluster(200, 290.0, 130.0, 25.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def frame() -> Rendered:
    return render(SPEC, 3)


def settings_with(catalog: Path, **solve: object) -> Settings:
    return make_settings(
        {
            "catalogs": {"files": [str(catalog)], "offline": True},
            "solve": {"solvers": ["header"]} | solve,
            "image": {"psf": "none", "injected": 0, "cosmic_rays": "no"},
        }
    )


def errors_arcsec(frame: Rendered, reduced: Reduced) -> np.ndarray:
    """How far each source is from where its pixels truly look."""
    phot = reduced.sources.phot
    ra, dec = on_sky(frame.spec, phot.x, phot.y)
    d_ra = (reduced.placed.ra_deg - ra) * np.cos(np.radians(dec))
    return 3600 * np.hypot(d_ra, reduced.placed.dec_deg - dec)


@pytest.mark.parametrize("off_px", [(2.4, -1.8), (-8.0, 6.0)], ids=["3 px", "10 px"])
def test_it_is_put_right(frame: Rendered, tmp_path: Path, off_px: tuple[float, float]) -> None:
    catalog = write_catalog(tmp_path / "stars.csv", SPEC, frame.truth)
    path = write_frame(tmp_path / "frame.fits", frame, off_px)
    reduced = measure_image(path, settings_with(catalog), Clock())
    assert reduced.placed.solution is not None
    assert reduced.placed.solution.n_matched > 50
    assert errors_arcsec(frame, reduced).max() < 0.2
    assert reduced.transients.candidates == ()


def test_a_few_stars_of_an_index_do_not_outvote_the_catalogue(
    frame: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = write_catalog(tmp_path / "stars.csv", SPEC, frame.truth)
    path = write_frame(tmp_path / "frame.fits", frame, (4.0, 3.0))
    # As many as a Tycho index may have on so small a frame, and none of them where it is seen.
    rng = np.random.default_rng(8)
    six = np.column_stack(on_sky(SPEC, *rng.uniform(40, 380, (2, 6))))
    monkeypatch.setattr("lightcurve.astrometry.header_wcs.index_stars", lambda *_: six)
    reduced = measure_image(path, settings_with(catalog), Clock())
    assert errors_arcsec(frame, reduced).max() < 0.2


def test_a_catalogue_of_another_place_confirms_nothing(frame: Rendered, tmp_path: Path) -> None:
    other = write_catalog(tmp_path / "stars.csv", SPEC, render(SPEC, 9).truth)
    path = write_frame(tmp_path / "frame.fits", frame, (4.0, 3.0))
    reduced = measure_image(path, settings_with(other), Clock())
    assert reduced.placed.solution is None


def test_a_galactic_header_places_the_same_sources(frame: Rendered, tmp_path: Path) -> None:
    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS
    from astropy.wcs.utils import fit_wcs_from_points

    catalog = write_catalog(tmp_path / "stars.csv", SPEC, frame.truth)
    path = write_frame(tmp_path / "frame.fits", frame)
    x, y = np.random.default_rng(1).uniform(0, 419, (2, 200))
    places = SkyCoord(*on_sky(SPEC, x, y), unit="deg").galactic
    galactic: WCS = fit_wcs_from_points((x, y), places, projection="TAN")
    with fits.open(path, mode="update") as hdus:
        hdus[0].header.update(galactic.to_header())
        for name in ("CD1_1", "CD1_2", "CD2_1", "CD2_2"):
            hdus[0].header.remove(name, ignore_missing=True)
    assert fits.getheader(path)["CTYPE1"].startswith("GLON")
    reduced = measure_image(path, settings_with(catalog), Clock())
    assert errors_arcsec(frame, reduced).max() < 0.2
