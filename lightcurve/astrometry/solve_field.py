"""Plate solving by Astrometry.net's own program, ``solve-field``, where it is on the PATH."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from lightcurve.astrometry.index import find_index_files
from lightcurve.astrometry.other_programs import (
    N_STARS,
    cone,
    read_result,
    run_program,
    scale_bounds,
    star_places,
    stars_to_check,
)
from lightcurve.astrometry.request import SolveRequest, settle
from lightcurve.core.data import Solution
from lightcurve.core.errors import SolveError, Why
from lightcurve.core.settings import SolveSettings

__all__ = ["PROGRAM"]

PROGRAM = "solve-field"
# "pos" is the sky as it is seen, of which the determinant of CD is negative.
PARITY = {"either": (), "sky": ("--parity", "pos"), "mirrored": ("--parity", "neg")}


def solve_with_program(request: SolveRequest, settings: SolveSettings) -> Solution:
    """Solve a frame by running ``solve-field`` on its stars; raises SolveError saying why not."""
    program, n = shutil.which(PROGRAM), len(request.stars)
    if program is None:
        msg = f"no {PROGRAM} on the PATH"
        raise SolveError(msg, n_detected=n, why=Why.NO_SOLVER)
    with tempfile.TemporaryDirectory(prefix="lightcurve-") as name:
        folder = Path(name)
        _write_stars(folder / "stars.xyls", request)
        said = run_program(
            [program, *_arguments(request, settings, folder)], folder, settings.timeout_s
        )
        wcs_file, corr_file = folder / "stars.wcs", folder / "stars.corr"
        if not wcs_file.is_file():
            msg = (
                f"no match of {min(n, N_STARS)} stars: has it index files of the right scale "
                f"(--index)? are the stars real? it says: {said}"
            )
            raise SolveError(msg, n_detected=n, why=Why.NO_MATCH)
        body = wcs_file.read_bytes()
        matched = corr_file.read_bytes() if corr_file.is_file() else None
    wcs = read_result(body, request)
    sky, remark = stars_to_check(wcs, matched, request, settings)
    return settle(wcs, request, sky, PROGRAM, f"run on {min(n, N_STARS)} stars{remark}")


def _write_stars(path: Path, request: SolveRequest) -> None:
    """Write the stars, brightest first; the program counts pixels from 1, as FITS does."""
    from astropy.io import fits

    x, y = star_places(request).T
    flux = request.stars.flux[: len(x)]
    columns = [
        fits.Column(name=name, format="D", array=np.asarray(values, dtype=float))
        for name, values in (("X", x), ("Y", y), ("FLUX", flux))
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)


def _arguments(request: SolveRequest, settings: SolveSettings, folder: Path) -> list[str]:
    ny, nx = request.shape
    options: dict[str, object] = {
        "--width": nx,
        "--height": ny,
        "--x-column": "X",
        "--y-column": "Y",
        "--sort-column": "FLUX",
        "--dir": folder,
        "--temp-dir": folder,
        "--uniformize": 0,
        "--cpulimit": max(int(settings.timeout_s), 1),
        "--tweak-order": 2,
        "--wcs": folder / "stars.wcs",
        "--corr": folder / "stars.corr",
    }
    for unwanted in ("--new-fits", "--index-xyls", "--match", "--rdls", "--solved"):
        options[unwanted] = "none"
    if bounds := scale_bounds(request, settings):
        options |= dict(zip(("--scale-low", "--scale-high"), bounds, strict=True))
        options["--scale-units"] = "arcsecperpix"
    if place := cone(request, settings):
        options |= dict(zip(("--ra", "--dec", "--radius"), place, strict=True))
    # Joined by "=", for a negative declination would be taken for an option.
    joined = [f"{name}={value}" for name, value in options.items()]
    # Removing lines and spreading stars evenly need Python modules that it may not find.
    flags = ["--no-plots", "--overwrite", "--crpix-center", "--no-remove-lines"]
    if settings.index:
        # Short, for the long form has been renamed between its versions.
        flags += ["-b", str(_write_config(folder, settings))]
    return [*flags, *PARITY[settings.parity], *joined, str(folder / "stars.xyls")]


def _write_config(folder: Path, settings: SolveSettings) -> Path:
    """Tell the program of the index files given."""
    files = [file.resolve() for file in find_index_files(settings=settings)]
    folders = dict.fromkeys(file.parent for file in files)
    lines = [f"add_path {place}" for place in folders] + [f"index {file.name}" for file in files]
    path = folder / "engine.cfg"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
