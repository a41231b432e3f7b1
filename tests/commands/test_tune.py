"""`lightcurve tune`: what is typed, and what is shown."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from lightcurve.cli import app, main
from lightcurve.commands.tune import changes_nothing
from lightcurve.night.keep import read_night
from lightcurve.night.tune import Wishes, tune_run


def typed(*words: str) -> str:
    result = CliRunner().invoke(app, ["-q", "tune", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def run(kept_run, tmp_path) -> Path:
    return Path(shutil.copytree(kept_run[1], tmp_path / "run"))


def test_a_wish_stands_beside_the_programs_choice(run):
    night = read_night(run)
    first = f"C{night.recipe.comparison_rows[0] + 1}"
    answer = json.loads(
        typed(str(run), "--drop", first, "--weights", "sum", "--covariate", "none", "--json")
    )
    own, yours = answer["choices"]
    assert first in own["comparisons"]
    assert yours["comparisons"] == [name for name in own["comparisons"] if name != first]
    assert (yours["weights"], yours["covariates"]) == ("sum", [])
    assert yours["aperture"] == own["aperture"] == str(night.recipe.aperture)
    assert own["covariates"] == list(night.fit.covariates)
    assert set(answer["fits"]) == {"own", "wished"}
    assert answer["fits"]["wished"]["covariates"]["value"] == []


@pytest.mark.usefixtures("undrawn")
def test_what_was_typed_is_what_is_kept(run):
    night = read_night(run)
    name = f"C{night.recipe.comparison_rows[0] + 1}"
    words = ["--drop", name, "--aperture", str(night.recipe.aperture), "--no-covariate", "x"]
    typed(str(run), *words, "--dilution", "0.9", "0.01", "--apply")
    answer = json.loads(typed(str(run), "--weights", "sum", "--no-fit", "--json"))
    assert shlex.split(answer["applied"]) == [*words, "--dilution", "0.9", "0.01"]
    before = (run / "run.toml").read_bytes()
    typed(str(run), "--reset")
    assert (run / "run.toml").read_bytes() != before
    assert json.loads(typed(str(run), "--weights", "sum", "--no-fit", "--json"))["applied"] == ""


@pytest.mark.parametrize(
    "words",
    [
        ["--comp", "C400"], ["--radius", "4.6", "--aperture", "1 FWHM"], ["--radius", "-3"],
        ["--reset", "--drop", "C2"], ["--apply"], ["--covariate", "moon"], ["--radius", "x"],
        ["--planet", "no-such.toml"], ["--exclude", "a\nb"], ["--dilution", "0.001", "1"],
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(kept_run, words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lightcurve", "-q", "tune", str(kept_run[1]), *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code not in (0, None)
    told = capsys.readouterr().err
    assert told.startswith("lightcurve: ")
    assert "Traceback" not in told


def test_a_folder_that_is_no_run_is_told(tmp_path, monkeypatch, capsys):
    for folder in (tmp_path, tmp_path / "none"):
        monkeypatch.setattr(sys, "argv", ["lightcurve", "tune", str(folder)])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 1
        assert str(folder) in capsys.readouterr().err


def test_each_choice_is_told_with_the_options_that_make_it(run):
    """Those of the list are typed again, and give the same choice and numbers."""
    own, *others = json.loads(typed(str(run), "--json"))["choices"]
    assert own["options"] == []
    for kind in ("--drop", "--aperture", "--weights", "--covariate"):
        one = next(one for one in others if one["options"][0] == kind)
        again = json.loads(typed(str(run), *one["options"], "--no-fit", "--json"))["choices"][1]
        wanted = {**one, "what": "yours"}
        assert again.keys() == wanted.keys()
        for name, value in wanted.items():
            # Many choices at once and one alone round otherwise in the last digits.
            near = pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
            assert again[name] == near, name


def test_stars_that_change_nothing_are_named_and_not_listed(run, monkeypatch):
    monkeypatch.setattr("lightcurve.commands.tune.LITTLE", 0.1)
    tuned = tune_run(run, Wishes())
    monkeypatch.setattr("lightcurve.night.tune.tune_run", lambda *_, **__: tuned)  # once is enough
    own, *others = tuned.tried
    stars = {one.what: one for one in others if one.choice.rows != own.choice.rows}
    alike = [what for what, one in stars.items() if changes_nothing(one, own)]
    assert 0 < len(alike) < len(stars)
    said = typed(str(run))
    assert [what for what in stars if f"{what} " in said] == [w for w in stars if w not in alike]
    assert ",".join(what.split()[-1] for what in alike) in said
    whole = typed(str(run), "--all")
    assert all(f"{what} " in whole for what in stars)


def test_the_list_ends_with_a_line_that_can_be_typed(run):
    line = typed(str(run)).strip().splitlines()[-1]
    words = shlex.split(line[line.index("lightcurve tune") :])
    assert "yours" in typed(*words[2:])


@pytest.mark.parametrize(("shift", "alike"), [(0.2, True), (0.3, False), (None, False)])
def test_what_changes_a_number_is_shown(shift, alike):
    old = SimpleNamespace(
        scatter=0.01,
        n_points=100,
        mid_time=5.0,
        mid_time_err=0.1,
        rp_over_rs=0.1,
        rp_over_rs_err=0.01,
    )
    mid = None if shift is None else 5.0 + shift * 0.1
    for scatter, same in ((0.0105, alike), (0.009, False)):
        new = SimpleNamespace(**vars(old) | {"mid_time": mid, "scatter": scatter})
        assert changes_nothing(SimpleNamespace(fit=new), SimpleNamespace(fit=old)) is same
