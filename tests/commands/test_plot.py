"""`lightcurve plot`: figures from a run's tables alone, the same bytes each time."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.errors import InputError
from lightcurve.core.settings import make_settings
from lightcurve.night.figures import FIGURES
from lightcurve.night.finished import finish, read_finished
from lightcurve.night.plot import plot_run
from lightcurve.night.story import reduce_night
from lightcurve.report.style import STYLES, Look, read_size
from sim import tiny_night


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Reduce a small night; gives its folder and what it gave."""
    folder, out = tmp_path_factory.mktemp("night"), tmp_path_factory.mktemp("run")
    tiny_night(folder, n_frames=14, shape=(200, 240), n_stars=40, header_wcs=True)
    place = {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}
    settings = make_settings({"workers": 1, "catalogs": {"offline": True}, "target": place})
    return out, reduce_night(folder, settings, out)


def typed(*words):
    return CliRunner().invoke(app, ["plot", *map(str, words)])


def test_a_run_is_read_back_as_it_was(run):
    out, night = run
    written, read = finish(night), read_finished(out)
    assert (read.headline, read.facts) == (written.headline, written.facts)
    assert read.about == written.about
    np.testing.assert_array_equal(read.curve.flux, written.curve.flux)
    of_pixels = {"seeing_profile", "masters"}
    drawn = {one.name for one in FIGURES if not one.lacks(written)}
    assert {one.name for one in FIGURES if not one.lacks(read)} == drawn - of_pixels


def test_the_tables_alone_say_as_much(run, tmp_path):
    out, night = run
    for path in out.iterdir():
        if path.is_file() and path.suffix != ".bin":
            shutil.copy(path, tmp_path)
    written, read = finish(night), read_finished(tmp_path)
    assert (read.headline, read.facts) == (written.headline, written.facts)
    assert read.about == written.about
    np.testing.assert_array_equal(read.curve.flux, written.curve.flux)


def test_line_breaks_in_names_of_files_do_not_hide_what_is_kept(tmp_path):
    tiny_night(tmp_path / "night", n_frames=8, shape=(200, 240), n_stars=40, header_wcs=True)
    for path in (tmp_path / "night").glob("light*.fits"):
        path.rename(path.with_name(path.name.replace("light", "li\n [b]$x")))
    place = {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}
    settings = make_settings({"catalogs": {"offline": True}, "target": place, "figures": "none"})
    reduce_night(tmp_path / "night", settings, tmp_path / "run")
    assert read_finished(tmp_path / "run").night is not None


def test_a_kept_night_of_another_curve_or_version_is_left_alone(run, tmp_path):
    shutil.copytree(run[0], tmp_path / "run")
    assert read_finished(tmp_path / "run").night is not None
    table = tmp_path / "run" / "lightcurve.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:-1]) + "\n")
    assert read_finished(tmp_path / "run").night is None
    shutil.copy(run[0] / "lightcurve.csv", table)
    (tmp_path / "run" / "night.bin").write_bytes(b"of another version")
    assert read_finished(tmp_path / "run").night is None


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_same_tables_same_bytes_and_text_stays_text(run, tmp_path, kind):
    first, again = (
        plot_run(run[0], ["light_curve"], Look("column"), kind=kind, out=tmp_path / side)[0]
        for side in "ab"
    )
    content = first["light_curve"].read_bytes()
    assert content == again["light_curve"].read_bytes()
    assert b"CreationDate" not in content
    if kind == "svg":
        assert "BJD (TDB)" in content.decode()
        assert float(re.search(r'width="([\d.]+)pt"', content.decode())[1]) == 3.5 * 72
    if kind == "pdf":
        assert b"/FontFile2" in content, "TrueType, embedded"
        assert b"/Type3" not in content


def test_all_that_can_be_drawn_is_and_the_rest_is_told(run, tmp_path):
    drawn, lacking = plot_run(run[0], (), Look(), kind="png", out=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.png" for name in drawn}
    assert "field" in drawn, "from the picture that is kept"
    assert "seeing_profile" in lacking
    assert not {*drawn} & {*lacking}
    result = typed(run[0], "--out", tmp_path, "--format", "png", "--title", "")
    assert result.exit_code == 0
    assert len(result.stdout.split()) == len(drawn)
    assert all(f"not drawn: {name}: " in result.stderr for name in lacking)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--figure", "ligt_curve"], "light_curve"),
        (["--figure", "seeing_profile"], "frames"),
        (["--format", "gif"], "pdf"),
        (["--style", "colum"], "column"),
        (["--style", "nowhere.mplstyle"], "nowhere.mplstyle"),
        (["--size", "7"], "9cm,12cm"),
        (["--size", "0.1,4"], "inches"),
        (["--size", "nan,4"], "9cm,12cm"),
        (["--dpi", "0"], "2400"),
        (["--dpi", "nan"], "2400"),
        (["--dpi", "1e6"], "2400"),
        (["--dpi", "2400", "--size", "30,30", "--format", "png"], "--dpi"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(run, tmp_path, words, told):
    result = typed(run[0], "--out", tmp_path, *words)
    assert isinstance(result.exception, InputError)
    assert told in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_a_style_of_ones_own(run, tmp_path):
    own = tmp_path / "own.mplstyle"
    own.write_text("figure.figsize: 5, 2\ntext.usetex: True\n")
    (path,) = plot_run(run[0], ["night"], Look(str(own)), kind="svg", out=tmp_path)[0].values()
    assert 'width="360pt"' in path.read_text()
    own.write_text("lines.linewidth: thick\n")
    with pytest.raises(InputError, match=r"own\.mplstyle"):
        plot_run(run[0], ["night"], Look(str(own)), kind="svg", out=tmp_path)


def test_any_table_and_no_run(run, tmp_path):
    table = tmp_path / "table.csv"
    shutil.copy(run[0] / "lightcurve.csv", table)
    drawn, _ = plot_run(table, (), Look(), kind="png", out=None)
    assert drawn["light_curve"] == tmp_path / "plots" / "light_curve.png"
    with pytest.raises(InputError, match=r"lightcurve\.csv"):
        plot_run(tmp_path / "plots", (), Look(), kind="png", out=None)
    with pytest.raises(InputError, match="nobody"):
        plot_run(tmp_path / "nobody.csv", (), Look(), kind="png", out=None)


@pytest.mark.parametrize(
    ("text", "inches"),
    [("7.1,4", (7.1, 4)), ("9cm,6cm", (9 / 2.54, 6 / 2.54)), ("90x60mm", (90 / 25.4, 60 / 25.4))],
)
def test_sizes(text, inches):
    assert read_size(text) == pytest.approx(inches)


def test_manual_and_help_name_every_figure_and_style():
    page = (Path(__file__).parents[2] / "docs" / "figures.md").read_text()
    assert all(f"`{name}`" in page for name in (*FIGURES.names(), *STYLES))
    assert all(name in typed("--help").stdout for name in STYLES)
