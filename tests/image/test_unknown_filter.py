"""A filter that nobody knows: the frame's own stars tell which band it is, or none is taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from lightcurve.core.progress import Clock
from lightcurve.image.reduced import Reduced
from lightcurve.image.story import measure_image
from sim_image import Observatory, Rendered, enclosed_share, ey_uma_frame, offline

SITE = Observatory(shape=(600, 600), scale=2.0)
QUICK = {"psf": "none", "injected": 0, "cosmic_rays": "no", "transients": False}


@pytest.fixture(scope="module")
def refcat(shared_data: Path) -> Path:
    return shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv"


@pytest.fixture(scope="module")
def truth(refcat: Path, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """The field in Pan-STARRS r, under a name that no camera has."""
    rendered = ey_uma_frame(tmp_path_factory.mktemp("ey") / "ey.fits", refcat, SITE)
    fits.setval(rendered.path, "FILTER", value="Q17")
    return rendered


def measured(truth: Rendered, catalog: Path, **image: object) -> Reduced:
    return measure_image(truth.path, offline(catalog, **QUICK, **image), Clock())


def test_the_stars_tell_the_band(truth: Rendered, refcat: Path) -> None:
    reduced = measured(truth, refcat)
    calibrated = reduced.calibrated
    assert calibrated.band == "r (Pan-STARRS1, AB)"
    zero, apertures = calibrated.aperture.zero_point, reduced.sources.apertures
    share = enclosed_share(SITE, apertures.radii[apertures.main])
    assert zero.value == pytest.approx(SITE.zero_point_adu + 2.5 * np.log10(share), abs=0.02)
    assert any("Q17" in note and "rp" in note for note in reduced.notes)


def test_a_band_that_is_named_is_not_sought(truth: Rendered, refcat: Path) -> None:
    assert measured(truth, refcat, band="V").calibrated.band == "V (Johnson, Vega)"


def test_stars_of_one_colour_tell_no_band(truth: Rendered, refcat: Path, tmp_path: Path) -> None:
    """Each band then fits as well as the next, though their zero points differ."""
    stars = Table.read(refcat)
    for band, step in (("g", 0.5), ("i", -0.2), ("z", -0.3), ("G", 0.1), ("BP", 0.4), ("RP", -0.5)):
        stars[f"{band}mag"] = stars["rmag"] + step
    stars.remove_columns(["Jmag", "Hmag", "Kmag"])
    stars.write(tmp_path / "alike.ecsv")
    reduced = measured(truth, tmp_path / "alike.ecsv")
    assert reduced.calibrated.standards is None
    assert reduced.calibrated.band == "instrumental"
    assert any("--band" in note for note in reduced.notes)


def test_magnitudes_without_a_band_serve_for_any_filter(
    truth: Rendered, refcat: Path, tmp_path: Path
) -> None:
    stars = Table.read(refcat)
    plain = Table({"ra": stars["RA_ICRS"], "dec": stars["DE_ICRS"], "mag": stars["rmag"]})
    plain.write(tmp_path / "plain.csv")
    zero = measured(truth, tmp_path / "plain.csv").calibrated.aperture.zero_point
    named = measured(truth, refcat).calibrated.aperture.zero_point
    assert zero.value == pytest.approx(named.value, abs=0.01)
