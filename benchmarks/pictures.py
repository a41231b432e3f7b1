"""Make the pictures that README and site show: `make pictures`.

They come from the tool's own runs: of the real night where its data lie beside the checkout, and of
the demo for what that night lacks, master frames. The picture of the page is taken by Chromium,
where it is on the PATH.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
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
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WINDOW = "1280,1500"
TUTORIAL = ROOT / "docs" / "tutorial_hatp32.md"
PUBLISHED = {  # in fit.json: its row, decimals, and what others have
    "mid_time_bjd_tdb": ("mid-transit, BJD_TDB", 4, "2458107.7113 (ephemeris)"),
    "rp_over_rs": ("Rp/R*", 3, "0.1508"),
    "duration_days": ("duration, d", 4, "0.1303 (of the planet file)"),
}
LOADED_MS = 8000  # for the charts to be drawn


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    STATIC.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        demo, _ = run_demo(Path(folder) / "demo", progress=bar)
        night = _real_night(Path(folder) / "run") if DATA.is_dir() else demo.folder
        for name in SHOWN:
            shrink(night / "figures" / f"{name}.png", STATIC / f"{name}.png")
        for name, figure in OF_THE_DEMO.items():
            shrink(demo.folder / "figures" / f"{figure}.png", STATIC / f"{name}.png")
        if DATA.is_dir():
            TUTORIAL.write_text(with_numbers(TUTORIAL.read_text(), night))
        take_picture(night / "report.html", STATIC / "page.png")
    print(f"{len(SHOWN) + len(OF_THE_DEMO)} pictures in {STATIC}")


def shrink(figure: Path, picture: Path) -> None:
    """Copy a figure at the size and with the 256 colours that a page needs."""
    with Image.open(figure) as image:
        image.thumbnail((WIDEST, WIDEST))
        image.convert("RGB").quantize(256).save(picture, optimize=True)


def with_numbers(page: str, run: Path) -> str:
    """Put the numbers of a run into the table of a page that has them."""
    fit = json.loads((run / "fit.json").read_text())
    for name, (row, decimals, published) in PUBLISHED.items():
        one = fit[name]
        error = (one["upper"] - one["lower"]) / 2
        cells = f"{row} | {one['value']:.{decimals}f} ± {error:.{decimals}f} | {published}"
        page = re.sub(rf"(?m)^\| {re.escape(row)} \|.*$", f"| {cells} |", page)
    return page


def take_picture(page: Path, picture: Path) -> None:
    """Take a picture of a page as a browser shows it; leave the old one where there is none."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"{picture.name}: no browser among {', '.join(BROWSERS)}")
        return
    whole = picture.with_suffix(".tmp.png")
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--window-size={WINDOW}", f"--virtual-time-budget={LOADED_MS}"]
    subprocess.run([*command, f"--screenshot={whole}", page.as_uri()], check=True, timeout=120)
    shrink(whole, picture)
    whole.unlink()


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
