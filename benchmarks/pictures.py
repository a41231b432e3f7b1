"""Make the pictures that the README shows: `make pictures`.

They come from the tool's own runs: of the real night where its data lie beside the checkout, and of
the demo for what that night lacks, master frames.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from lightcurve.commands.shell import bar
from lightcurve.core.settings import make_settings
from lightcurve.night.demo import run_demo
from lightcurve.night.story import reduce_night

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "static"
DATA = ROOT.parent / "shared" / "data"
SHOWN = ("light_curve", "field", "seeing_profile", "cumulative_flux")


def main() -> None:
    STATIC.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        demo, _ = run_demo(Path(folder) / "demo", progress=bar)
        night = _real_night(Path(folder) / "run") if DATA.is_dir() else demo.folder
        for name in SHOWN:
            shutil.copyfile(night / "figures" / f"{name}.png", STATIC / f"{name}.png")
        shutil.copyfile(demo.folder / "figures" / "masters.png", STATIC / "masters.png")
    print(f"{len(SHOWN) + 1} pictures in {STATIC}")


def _real_night(out: Path) -> Path:
    settings = make_settings(
        {
            "target": {"planet_file": DATA / "planets" / "hatp32b.toml"},
            "solve": {"index": [DATA / "index-tycho2-hatp32.fits"]},
        }
    )
    return reduce_night(DATA / "hatp32", settings, out, progress=bar).products.folder


if __name__ == "__main__":
    sys.exit(main())
