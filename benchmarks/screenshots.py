"""Pictures of a page as phones and screens show it, light and dark, and as it is printed.

python -m benchmarks.screenshots RUN/report.html FOLDER
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from browser import choose_theme, complaints, open_browser, open_page, resize, screenshot

SIZES = {400: 860, 1200: 900, 1920: 1080}  # width to height, pixels


def take_pictures(page: Path, folder: Path) -> list[Path]:
    """Save the whole page at every width in both themes, and as a PDF; say what it complains of."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = []
    with open_browser() as browser:
        for width, height in SIZES.items():
            for theme in ("light", "dark"):
                resize(browser, width, height)
                choose_theme(browser, theme)
                open_page(browser, page)
                file = folder / f"{page.stem}-{width}-{theme}.png"
                taken.append(screenshot(browser, file, whole=True))
                print(file, *complaints(browser), sep="\n  ")
        printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
        taken.append(folder / f"{page.stem}.pdf")
        taken[-1].write_bytes(base64.b64decode(printed["data"]))
    return taken


if __name__ == "__main__":
    take_pictures(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
