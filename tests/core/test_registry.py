"""Registries: what is registered is found, in order; what is not is refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

import pytest

from lightcurve.core import registry
from lightcurve.core.errors import InputError
from lightcurve.core.registry import Registry, one_of, registry_of


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
