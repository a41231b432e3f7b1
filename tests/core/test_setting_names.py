"""A wrong name of a setting is told where it stands, and which is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightcurve.core.errors import InputError
from lightcurve.core.setting_names import OTHER_WORDS, leaves, line_of
from lightcurve.core.settings import Settings, read_settings


@pytest.mark.parametrize(
    ("text", "line", "better"),
    [
        ("[camera]\ngian = 1", 2, "camera.gain_e_per_adu"),
        ("[camera]\n\n# x\ngain = 1", 4, "camera.gain_e_per_adu"),
        ("[site]\nlat = 1", 2, "site.latitude_deg"),
        ('[site]\n"elevation" = 1', 2, "site.height_m"),
        ("latitude = 1", 1, "site.latitude_deg"),
        ("latitude_deg = 1", 1, "site.latitude_deg"),
        ("[equipment]\n[equipment.site]\nlongitude = 1", 3, "equipment.site.longitude_deg"),
        ("equipment.site.longitude = 1", 1, "equipment.site.longitude_deg"),
        ("[stars]\nmax_star = 3", 2, "stars.max_stars"),
        ("[fit]\nmax_stars = 3", 2, "stars.max_stars"),
        ("[observer]\nobscode = 'X'", 2, "observer.aavso_code"),
        ("[targt]\nname = 'x'", 1, "target"),
        ("[apertures]\nradius = [3]", 2, "apertures.radii"),
        ("[camera]\nzzzzzz = 1", 2, ""),
    ],
)
def test_a_wrong_name_is_told_with_its_line(
    text: str, line: int, better: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_settings(path)
    said = str(caught.value)
    assert said.startswith(f"mine.toml, line {line}: ")
    assert ("did you mean" in said) == bool(better)
    assert said.endswith(f"did you mean {better}?" if better else text.split()[1])


def test_a_wrong_value_is_told_with_its_line_and_a_key_is_not_printed(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[stars]\nmax_comparisons = 3\nmax_stars = 1\n")
    with pytest.raises(InputError, match=r"mine.toml, line 3: stars.max_stars: .*got 1"):
        read_settings(path)
    path.write_text("[solve]\napi_key = 'hunter2'\n")
    with pytest.raises(InputError) as caught:
        read_settings(path)
    assert "hunter2" not in str(caught.value)


def test_the_record_of_a_run_has_lines_too(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('lightcurve = "1"\n[settings.stars]\nmax_star = 3\n')
    with pytest.raises(InputError, match=r"line 3: no setting stars.max_star; .*stars.max_stars"):
        read_settings(path)


def test_other_words_are_of_settings_there_are() -> None:
    assert set(OTHER_WORDS.values()) <= {name for name, _ in leaves(Settings)}


def test_a_line_that_cannot_be_told_is_none() -> None:
    assert line_of("a = { b = 1 }", ("a", "b")) is None
    assert line_of("a = { b = 1 }", ("a",)) == 1
