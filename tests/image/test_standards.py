"""Which catalogue, and which of its stars, give a frame its zero point."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.catalogs.bands import sources_for
from lightcurve.catalogs.catalog_file import read_file
from lightcurve.catalogs.layout import Catalog, Column
from lightcurve.core.errors import InputError
from lightcurve.core.settings import ImageSettings, make_settings
from lightcurve.image.sky import (
    MIN_STANDARDS,
    choose_standards,
    named_in_vain,
    order_of,
    refusal,
    services_for,
)

N = 3 * MIN_STANDARDS


def stars(name, **columns):
    """Stars 1 arc minute apart."""
    made = {k: Column(np.asarray(v, dtype=float)) for k, v in columns.items()}
    ids, ones = np.arange(N).astype(str), np.ones(N)
    return Catalog(name, name, ids, np.arange(N) / 60, np.zeros(N), ones, 2016.0, made)


GAIA = stars("gaia", g_mag=[15.0] * N, bp_mag=[15.4] * N, rp_mag=[14.4] * N)


def synthetic(n_sound):
    return stars("gaia_synthetic", jkc_v_mag=np.full(N, 15.0), jkc_v_ok=np.arange(N) < n_sound)


def choose(*catalogs, band="V"):
    return choose_standards({c.name: c for c in catalogs}, band, sources_for(band, 0.0))


def test_the_best_catalogue_with_enough_sound_stars_is_taken():
    """V of Gaia's spectra goes before V made of G, BP and RP, while enough of it is sound."""
    found = choose(GAIA, synthetic(MIN_STANDARDS))
    assert found.catalog.name == "gaia_synthetic"
    assert found.reasons.tolist() == [""] * MIN_STANDARDS + ["magnitude not sound"] * (
        N - MIN_STANDARDS
    )
    found = choose(GAIA, synthetic(MIN_STANDARDS - 1))
    assert found.catalog.name == "gaia"
    assert (found.reasons == "").all()


def test_with_too_few_everywhere_the_most_are_taken():
    assert choose(synthetic(2)).catalog.name == "gaia_synthetic"
    assert choose_standards({}, "V", ("gaia",)) is None


def test_a_column_without_any_value_is_no_band():
    empty = stars("gaia_synthetic", jkc_v_mag=[np.nan] * N)
    assert choose(GAIA, empty).catalog.name == "gaia"
    assert choose(empty) is None


BVGRI = stars(
    "file", jkc_b_mag=[15.6] * N, jkc_v_mag=[15.0] * N, sdss_g_mag=[15.2] * N,
    sdss_r_mag=[14.8] * N, sdss_i_mag=[14.6] * N,
)  # fmt: skip


def test_a_band_that_no_formula_gives_is_refused():
    """A frame in z is never tied to the first band that a catalogue happens to have."""
    assert choose_standards({"file": BVGRI}, "zp", ("file",)) is None
    assert choose_standards({"file": BVGRI}, "J", ("file",)) is None
    told = refusal("zp", {"file": BVGRI})
    assert all(band in told for band in ("zp", "B", "i_sdss", "--band"))
    assert "zp" not in refusal("zp", {})


def test_a_band_that_a_formula_gives_is_made_by_it():
    found = choose_standards({"gaia": GAIA}, "J", ("gaia",))
    assert found.band == "J (2MASS, Vega)"
    assert "0.048 mag" in found.formula
    assert np.all(found.mag_err >= 0.048)
    assert not found.notes


def test_another_band_serves_only_where_none_has_the_band():
    tycho = stars("file", tycho_vt_mag=[11.0] * N)
    assert choose_standards({"file": tycho, "gaia": GAIA}, "G", ("file", "gaia")).catalog is GAIA
    found = choose_standards({"file": tycho}, "G", ("file",))
    assert found.near
    assert found.band == "VT (Tycho, Vega)"
    assert np.all(found.mag_err > 0.1)
    assert (found.reasons == "").all()
    assert len(found.notes) == 1


def test_a_column_of_magnitudes_without_a_band_serves():
    """Column `mag` was once taken for its own flag of sound ones."""
    found = choose_standards({"file": stars("file", mag=np.arange(N) + 1.0)}, "V", ("file",))
    assert found.reasons.tolist() == [""] * N


def test_only_catalogues_with_magnitudes_can_be_named():
    simbad = make_settings({"image": {"standards": "simbad"}})
    with pytest.raises(InputError) as raised:
        services_for("V", 20.0, simbad, given=False)
    message = str(raised.value)
    assert "'simbad'" in message
    assert "gaia, " in message
    assert not any(other in message.split(": ")[1] for other in ("simbad", "skybot", "vsx"))


def test_the_catalogue_named_goes_before_a_file_and_the_others():
    named, free = ImageSettings(standards="apass"), ImageSettings()
    assert order_of(("file",), "V", 20.0, named)[:2] == ("apass", "file")
    assert order_of(("file",), "V", 20.0, free) == ("file", *sources_for("V", 20.0))
    found = choose_standards({"gaia": GAIA}, "V", order_of((), "V", 20.0, named))
    assert "gaia is taken" in named_in_vain(named, found)
    assert "no other does" in named_in_vain(named, None)
    assert not named_in_vain(ImageSettings(standards="gaia"), found)
    assert not named_in_vain(free, found)


def test_a_file_given_by_hand_serves(shared_data):
    refcat = read_file(shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv")
    found = choose_standards({"file": refcat, "gaia": GAIA}, "rp", ("file", "gaia"))
    assert found.catalog is refcat
    assert 100 < np.count_nonzero(found.reasons == "") < len(refcat)
