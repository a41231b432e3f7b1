"""Pages in a real browser: Chromium without a window, where the machine has one.

The browser and its driver are taken where they lie; nothing is downloaded.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

# Tests have an empty PATH, and that of the user under this name.
USER_PATH = os.environ.get("TEST_PATH_OF_USER") or os.environ.get("PATH")
CHROMIUM = shutil.which("chromium", path=USER_PATH) or shutil.which(
    "chromium-browser", path=USER_PATH
)
DRIVER = shutil.which("chromedriver", path=USER_PATH)
WAIT_S = 20.0
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver on the PATH"
)


@contextmanager
def open_browser(width: int = 1200, height: int = 900) -> Iterator[Chrome]:
    """Start a browser whose window has this size in pixels, and end it."""
    from selenium.webdriver import Chrome
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = str(CHROMIUM)
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--hide-scrollbars", "--force-device-scale-factor=1", f"--window-size={width},{height}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield browser
    finally:
        browser.quit()


def open_page(browser: Chrome, page: Path) -> None:
    """Open a page from disk and wait until its scripts have set it up."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(page.as_uri())
    WebDriverWait(browser, WAIT_S).until(
        lambda b: b.execute_script("return document.documentElement.dataset.ready === 'yes'")
    )


def resize(browser: Chrome, width: int, height: int) -> None:
    """Give the page itself, not its window, this size in pixels; phones have less than a window."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def choose_theme(browser: Chrome, theme: str) -> None:
    """Let the system be ``"light"`` or ``"dark"``."""
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def complaints(browser: Chrome) -> list[str]:
    """List what the console has to complain of since it was asked last."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] != "INFO"]


def requests(browser: Chrome) -> list[str]:
    """List the addresses that were asked for since it was asked last."""
    messages = (json.loads(e["message"])["message"] for e in browser.get_log("performance"))
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def screenshot(browser: Chrome, file: Path, *, whole: bool = False) -> Path:
    """Save what is seen, or the whole page, as a PNG."""
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": whole})
    file.write_bytes(base64.b64decode(shot["data"]))
    return file
