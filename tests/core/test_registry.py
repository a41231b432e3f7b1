"""Registries: what is registered is found, in order; what is not is refused by name."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module

import pytest

import lightcurve
from lightcurve.astrometry.chain import SOLVERS, Solver
from lightcurve.catalogs.bands import NORTH, PREFERRED, SOUTH
from lightcurve.catalogs.layout import Service
from lightcurve.catalogs.services import SERVICES
from lightcurve.core import registry
from lightcurve.core.columns import TABLES, TableFormat
from lightcurve.core.covariates import COVARIATES, OTHER_LIGHT, Covariate
from lightcurve.core.errors import InputError
from lightcurve.core.quantities import QUANTITIES, Quantity
from lightcurve.core.registry import Registry, did_you_mean, one_of, registry_of
from lightcurve.curve.weightings import WEIGHTINGS, Weighting
from lightcurve.exports.formats import EXPORTS, all_details
from lightcurve.exports.submission import Export
from lightcurve.frames.cameras import CAMERAS, Profile
from lightcurve.phot.methods import CENTROIDS, FINDERS, CentroidMethod, Finder


@dataclass(frozen=True)
class Thing:
    name: str


def test_entries_keep_their_order_and_are_found_by_name():
    things = Registry("thing", Thing("pear"), Thing("apple"))
    plum = things.register(Thing("plum"))
    assert things.names() == ("pear", "apple", "plum")
    assert things.get("plum") is plum
    assert [thing.name for thing in things] == ["pear", "apple", "plum"]


def test_an_unknown_name_is_refused_with_those_there_are_and_the_near_miss():
    things = Registry("thing", Thing("pear"), Thing("apple"))
    with pytest.raises(
        InputError, match=r"no thing 'aple': must be one of pear, apple; did .* app"
    ):
        things.get("aple")
    with pytest.raises(InputError, match=r"did .* apple\?$"):
        things.get("APPLE")
    with pytest.raises(InputError, match=r"must be one of pear, apple$"):
        things.get("zzz")


def test_a_name_is_registered_once():
    things = Registry("thing", Thing("pear"))
    with pytest.raises(ValueError, match="two entries of kind thing are named pear"):
        things.register(Thing("pear"))


def test_a_setting_is_checked_where_the_registry_is_there():
    Registry("thing", Thing("pear"))
    check = one_of("thing")
    assert check("pear") == "pear"
    with pytest.raises(ValueError, match="must be one of pear; did you mean pear"):
        check("pera")


@pytest.mark.parametrize("kind", registry._HOMES)
def test_every_registry_is_filled_where_it_is_looked_for(kind):
    import_module(registry._HOMES[kind])
    assert kind in registry._KINDS
    assert one_of(kind)(registry_of(kind).names()[0])
    # Loaded first of all it must not need the settings, which look into it.
    code = f"import {registry._HOMES[kind]}, lightcurve.core.settings"
    subprocess.run([sys.executable, "-c", code], check=True)


KINDS_OF_ENTRIES = {
    Solver: SOLVERS, Service: SERVICES, Export: EXPORTS, Weighting: WEIGHTINGS,
    Quantity: QUANTITIES, Covariate: COVARIATES, CentroidMethod: CENTROIDS,
    Finder: FINDERS, TableFormat: TABLES, Profile: CAMERAS,
}  # fmt: skip


def test_no_entry_of_the_program_is_forgotten():
    """An object of a kind that has a registry stands in it: one that does not would do nothing."""
    for found in pkgutil.walk_packages(lightcurve.__path__, "lightcurve."):
        if found.name.endswith("__main__"):
            continue
        for name, value in vars(import_module(found.name)).items():
            if type(value) in KINDS_OF_ENTRIES:
                registered = KINDS_OF_ENTRIES[type(value)].entries.values()
                assert any(entry is value for entry in registered), f"{found.name}.{name}"


def test_covariates_are_made_of_columns_that_there_are():
    known = {*QUANTITIES.names(), OTHER_LIGHT}  # which stands there where there is such light
    for covariate in COVARIATES:
        assert set(covariate.needs) <= known, covariate.name


def test_no_two_exports_give_one_name_to_different_details():
    names = [detail.name for detail in all_details()]
    assert len(names) == len(set(names))


def test_every_survey_with_bands_has_its_place_in_an_order_of_them():
    placed = {*PREFERRED, *NORTH, *SOUTH}
    assert {one.name for one in SERVICES if one.bands} <= placed


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("aavso", ["aavso-exoplanet", "aavso-exotic"]),  # each begins so
        ("AAVSO-EXOT", ["aavso-exotic"]),
        ("exoclok", ["exoclock"]),
        ("ex", []),  # too little to guess by
        ("moon", []),
    ],
)
def test_a_guess_names_all_that_begin_so(typed: str, meant: list[str]) -> None:
    names = ("aavso-exoplanet", "aavso-exotic", "exoclock", "exofop", "ecsv")
    told = did_you_mean(typed, names)
    assert [name for name in names if name in told] == meant
    assert bool(told) == bool(meant)
