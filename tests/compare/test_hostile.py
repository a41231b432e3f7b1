"""Tables of any content, described, recomputed, compared, measured again: a result or one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lightcurve.compare.describe import describe_file
from lightcurve.compare.frames import compare_with_frames
from lightcurve.compare.recompute import recompute_table
from lightcurve.compare.result import Curves, Tolerance, save_comparison
from lightcurve.compare.tables import compare_files
from lightcurve.core.errors import LightcurveError
from lightcurve.core.settings import Settings
from lightcurve.tables.light_curves import ColumnChoice

NAMES = (
    *("Label", "JD_UTC", "BJD_TDB", "J.D.-2400000", "EXPTIME", "RAOBJ2K", "DECOBJ2K", "SITELAT"),
    *("SITELONG", "Source_Radius", "Sky_Rad(min)", "Sky_Rad(max)", "FWHM_Mult"),
    *("Source_Rad(base)", "rel_flux_T1", "rel_flux_err_T1"),
    *(f"{c}_{s}" for s in ("T1", "C2") for c in ("Source-Sky", "Source_Error", "RA", "DEC")),
    *(f"{c}_{s}" for s in ("T1", "C2") for c in ("X(FITS)", "Y(FITS)", "Sky/Pixel")),
    *("N_Src_Pixels_T1", "N_Sky_Pixels_T1", "Width_T1"),
)
CELLS = st.sampled_from(
    [
        *("f0.fits", "f1.fits", "0", "1", "-1", "2", "5.5", "14", "30", "100.25", "1e4", "1e30"),
        *("2459000.5", "2459000.6", "59000.5", "1e9", "NaN", "", "inf", "words"),
    ]
)
TABLES = st.lists(st.sampled_from(NAMES), min_size=2, max_size=24, unique=True).flatmap(
    lambda names: st.tuples(
        st.just(names),
        st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), min_size=1, max_size=4),
    )
)
NUMBERS = st.sampled_from(
    ["0", "1", "-1", "2", "5.5", "14", "20.2", "30", "100.25", "1e30", "2459000.5", "NaN", ""]
)
FULL_TABLES = st.lists(
    st.lists(NUMBERS, min_size=len(NAMES) - 1, max_size=len(NAMES) - 1), min_size=1, max_size=2
).map(lambda rows: (list(NAMES), [[f"f{k}.fits", *row] for k, row in enumerate(rows)]))
SOUND = {"Source_Radius": "5.5", "Sky_Rad(min)": "14", "Sky_Rad(max)": "20.2"}


def with_sound_radii(table: tuple[list[str], list[list[str]]]) -> tuple:
    names, rows = table
    pairs = [[SOUND.get(n, c) for n, c in zip(names, row, strict=True)] for row in rows]
    base = names.index("Source_Rad(base)")
    return names, [[*row[:base], "5.5" if row[base] == "2" else "", *row[base + 1 :]]
                   for row in pairs]  # fmt: skip


WHOLE = (list(NAMES), [["f0.fits"] + ["5.5"] * (len(NAMES) - 1)] * 2)
RELAXED = settings(max_examples=100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two small frames."""
    folder = tmp_path_factory.mktemp("frames")
    rng = np.random.default_rng(3)
    for k in range(2):
        fits.writeto(folder / f"f{k}.fits", rng.normal(100, 5, (40, 50)).astype(np.float32))
    return folder


def compare_with_itself(path: Path, _folder: Path) -> None:
    choices = (ColumnChoice(), ColumnChoice())
    found = compare_files((path, path), choices, Settings(), tolerance=Tolerance(given=True))
    assert all(d.n_beyond == 0 for d in found.differences if "relative" not in d.name)


ACTIONS: dict[str, Callable[[Path, Path], object]] = {
    "describe": lambda path, folder: describe_file(path),  # noqa: ARG005
    "recompute": lambda path, folder: recompute_table(path, Settings()),  # noqa: ARG005
    "compare": compare_with_itself,
    "frames": lambda path, folder: compare_with_frames(
        folder, path, Settings(), tolerance=Tolerance(1e-9, given=True)
    ),
}


@pytest.mark.parametrize("action", ACTIONS)
@example(table=WHOLE)
@given(table=TABLES | FULL_TABLES | FULL_TABLES.map(with_sound_radii))
@RELAXED
def test_a_result_or_one_line(
    action: str, table: tuple[list[str], list[list[str]]], folder: Path, tmp_path: Path
) -> None:
    names, rows = table
    path = tmp_path / "odd.tbl"
    path.write_text("\n".join("\t".join(cells) for cells in [names, *rows]) + "\n")
    message = ""
    try:
        ACTIONS[action](path, folder)
    except LightcurveError as error:
        message = str(error)
    assert "\n" not in message
    assert len(message.replace(str(tmp_path), "")) < 600  # however long the folder


@given(
    numbers=st.lists(
        st.tuples(*[st.sampled_from([0.0, 1.0, -1.0, 1.01, 1e-9, 1e9, np.nan])] * 2), max_size=6
    )
)
@settings(max_examples=12)
def test_a_figure_of_anything(numbers: list[tuple[float, float]], tmp_path: Path) -> None:
    a, b = np.array(numbers, dtype=float).reshape(-1, 2).T
    path = save_comparison(
        tmp_path / "f.png", Curves("BJD_TDB", np.arange(float(len(a))), a, b), ("a", "b")
    )
    assert path.stat().st_size > 1000
