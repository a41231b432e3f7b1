"""Make the pictures that README and site show: `make pictures`.

They come from the tool's own runs: of the real night where its data lie beside the checkout, and of
the demo for what that night lacks, master frames.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from lightcurve.commands.shell import bar
from lightcurve.core.settings import make_settings
from lightcurve.night.demo import run_demo
from lightcurve.night.story import reduce_night

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "static"
DATA = ROOT.parent / "shared" / "data"
SHOWN = ("light_curve", "field", "seeing_profile", "cumulative_flux")
OF_THE_DEMO = {
    "masters": "masters", "demo_light_curve": "light_curve", "demo_field": "field",
}  # fmt: skip
WIDEST = 1200  # pixels: what a page shows


def main() -> None:
    STATIC.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        demo, _ = run_demo(Path(folder) / "demo", progress=bar)
        night = _real_night(Path(folder) / "run") if DATA.is_dir() else demo.folder
        for name in SHOWN:
            shrink(night / "figures" / f"{name}.png", STATIC / f"{name}.png")
        for name, figure in OF_THE_DEMO.items():
            shrink(demo.folder / "figures" / f"{figure}.png", STATIC / f"{name}.png")
    print(f"{len(SHOWN) + len(OF_THE_DEMO)} pictures in {STATIC}")


def shrink(figure: Path, picture: Path) -> None:
    """Copy a figure at the size and with the 256 colours that a page needs."""
    with Image.open(figure) as image:
        image.thumbnail((WIDEST, WIDEST))
        image.convert("RGB").quantize(256).save(picture, optimize=True)


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
