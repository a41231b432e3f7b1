"""The file of all settings says of each what it means, and gives the defaults back."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lightcurve.core.setting_names import leaves, unit_of
from lightcurve.core.settings import Settings, make_settings
from lightcurve.core.settings_files import commented, listed, user_file


def uncommented(text: str) -> str:
    return "\n".join(line.removeprefix("# ") for line in text.splitlines())


def test_all_lines_uncommented_are_the_defaults() -> None:
    values = tomllib.loads(uncommented(commented()))
    assert make_settings(values) == Settings()
    assert values["stars"]["max_stars"] == Settings().stars.max_stars


def test_as_it_is_it_sets_nothing() -> None:
    values = tomllib.loads(commented())
    assert values.pop("equipment") == {"camera": {}, "site": {}}
    assert not any(values.values())


def test_every_setting_stands_in_it_once_with_its_meaning_and_unit() -> None:
    lines = commented().splitlines()
    section, seen = "", {}
    for above, line in zip(["", *lines], lines, strict=False):
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif line.startswith(("# ", "## not set: ")):
            name = line.removeprefix("## not set: ").removeprefix("# ").split(" = ")[0]
            assert section + name not in seen
            seen[section + name] = above
    assert set(seen) == {name for name, _ in leaves(Settings)}
    for name, field in leaves(Settings):
        assert field.description, name
        assert field.description in seen[name]
        assert unit_of(name) in seen[name]


def test_what_is_set_is_not_commented_out() -> None:
    text = commented({"camera.gain_e_per_adu": 1.5, "observer.name": 'O\'Neill "x"'})
    values = tomllib.loads(text)
    assert values["camera"] == {"gain_e_per_adu": 1.5}
    assert values["observer"] == {"name": 'O\'Neill "x"'}


def test_the_own_file_of_tests_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "lightcurve-tests-" in str(user_file())
    assert not user_file().exists()
    monkeypatch.setenv("LIGHTCURVE_CONFIG", str(tmp_path / "mine.toml"))
    assert user_file() == tmp_path / "mine.toml"


def test_no_secret_of_an_address_is_listed() -> None:
    address = "https://me:hunter2@x.org/?apikey=hunter2&a=1"
    told = {"solve.server": "mine.toml", "catalogs.servers": "mine.toml"}
    settings = make_settings(
        {"solve": {"server": address}, "catalogs": {"servers": {"gaia": address}}}
    )
    rows = {name: value for name, value, _ in listed(settings, told)}
    assert set(rows) == set(told)
    assert not any("hunter2" in value for value in rows.values())
    assert "x.org" in rows["solve.server"]
    assert "hunter2" not in settings.model_dump_json()
    assert "hunter2" not in str(settings.model_dump(mode="json"))
    assert settings.solve.server == address
    assert settings.model_dump()["solve"]["server"] == address
