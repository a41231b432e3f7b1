"""Pictures of a page as phones and screens show it, light and dark, and as it is printed.

python -m benchmarks.screenshots RUN/report.html FOLDER
"""

from __future__ import annotations

import argparse
import base64
from pathlib import Path

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("folder", type=Path)
    wanted = parser.parse_args()
    take_pictures(wanted.page.resolve(), wanted.folder)


if __name__ == "__main__":
    main()
