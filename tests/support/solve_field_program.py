"""A ``solve-field`` to test with: it takes the real one's options and solves with its engine.

What the environment variable ``SOLVE_FIELD_DOES`` names it does instead. Its arguments are left
in the file that ``SOLVE_FIELD_SAYS`` names.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from astropy.io import fits


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("--no-plots", "--overwrite", "--crpix-center", "--no-remove-lines"):
        options.add_argument(name, action="store_true")
    for name in ("--scale-low", "--scale-high", "--ra", "--dec", "--radius"):
        options.add_argument(name, type=float)
    for name in ("--width", "--height", "--cpulimit", "--tweak-order", "--uniformize"):
        options.add_argument(name, type=int)
    for name in ("--wcs", "--corr", "--dir", "--temp-dir"):
        options.add_argument(name, type=Path)
    for name in ("--new-fits", "--index-xyls", "--match", "--rdls", "--solved"):
        options.add_argument(name, choices=["none"])
    options.add_argument("--x-column", default="X")
    options.add_argument("--y-column", default="Y")
    options.add_argument("--sort-column")
    options.add_argument("--scale-units", choices=["arcsecperpix"])
    options.add_argument("--parity", choices=["pos", "neg"])
    options.add_argument("-b", dest="config", type=Path, required=True)
    options.add_argument("file", type=Path)
    return options


def main() -> None:
    """Solve the list of stars named on the command line."""
    if record := os.environ.get("SOLVE_FIELD_SAYS"):
        Path(record).write_text("\n".join(sys.argv[1:]))
    given = parser().parse_args()
    does = os.environ.get("SOLVE_FIELD_DOES", "")
    if does == "hang":
        # The real one starts the engine as a process of its own.
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(os.environ["SOLVE_FIELD_CHILD"]).write_text(f"{child.pid} {os.getpid()}")
        time.sleep(600)
    if does == "fail":
        print("reading the stars\nsegmentation fault, core dumped")
        sys.exit(3)
    if does == "garbage":
        given.wcs.write_bytes(b"not a header")
        sys.exit(0)
    solve(given)


def solve(given: argparse.Namespace) -> None:
    from nova_server import engine_of, run_engine, write_header, write_matches

    table = fits.getdata(given.file)
    order = np.argsort(-table[given.sort_column])
    stars = np.column_stack([table[given.x_column], table[given.y_column]])[order]
    fields = {"tweak_order": given.tweak_order, "parity": ["pos", "neg", None].index(given.parity)}
    if given.scale_low is not None:
        fields |= {"scale_units": given.scale_units}
        fields |= {"scale_lower": given.scale_low, "scale_upper": given.scale_high}
    if given.ra is not None:
        fields |= {"center_ra": given.ra, "center_dec": given.dec, "radius": given.radius}
    size = given.width, given.height
    match = run_engine(engine_of(read_config(given.config)), stars, fields, size)
    if match is None:
        print("Did not solve (or no WCS file was written).")
        return
    given.wcs.write_bytes(write_header(match, size))
    given.corr.write_bytes(write_matches(match, stars))


def read_config(path: Path) -> tuple[Path, ...]:
    lines = [line.split(" ", 1) for line in path.read_text().splitlines()]
    folders = [Path(value) for name, value in lines if name == "add_path"]
    names = [value for name, value in lines if name == "index"]
    return tuple(folder / name for name in names for folder in folders)


if __name__ == "__main__":
    main()
