"""A real night put into a watched folder frame by frame, in disorder, against one run over all.

    python -m benchmarks live --frames DIR [--options "planet=FILE index=FILE ..."] [--out DIR]
        [--seed 1] [--browser]

Frames come one, two or none at a look, some late, some written again; from the middle on they are
turned by 180 degrees, as after a meridian flip; in the middle the program is started anew. Printed
are what a look cost at frames 20 to the last (seconds of processor), whether star numbers stayed,
and whether the tables at the end are those of `run`. --browser keeps the page open in Chromium,
served, and counts the points that it shows after each look.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import numpy as np
from astropy.io import fits

from lightcurve.commands.options import settings_of_keywords
from lightcurve.core.settings import Settings
from lightcurve.frames.read import is_image_name
from lightcurve.night.live_page import LivePages
from lightcurve.night.live_status import status_of
from lightcurve.night.nights import reduce_nights
from lightcurve.night.watch import begin_watch, finish_watch
from lightcurve.report.serve import serve_folder

TABLES = (
    "lightcurve.csv", "measurements.csv", "stars.csv", "frames.csv", "comparisons.csv", "fit.json",
    "model.csv", "nebs.csv",
)  # fmt: skip
EVERY_S = 0.2
Cost = tuple[int, int, float, float]  # frames, those measured, seconds of the look and of the page
LATE, AGAIN = 4, 0.05  # frames by which one may be late; share of those written again


def turned(path: Path, place: Path) -> None:
    """Write a frame as the other side of the pier shows it."""
    with fits.open(path) as hdus:
        hdus[0].data = np.ascontiguousarray(hdus[0].data[::-1, ::-1])
        hdus.writeto(place, overwrite=True, output_verify="ignore")


def plain(path: Path, place: Path) -> None:
    """Write a frame as it is."""
    shutil.copyfile(path, place)


def watch_night(
    frames: Sequence[Path],
    settings: Settings,
    out: Path,
    rng: np.random.Generator,
    shown: Callable[[int], int] | None,
) -> tuple[list[Cost], set[tuple[str, ...]], list[tuple[int, int]]]:
    """Put the frames, look, and finish.

    Returns the cost of each look, the star numbers and places that were shown, and of each look
    how many points there were and how many the open page showed.
    """
    folder = out / "in"
    folder.mkdir(parents=True)
    half = len(frames) // 2
    write = {path: turned if k >= half else plain for k, path in enumerate(frames)}
    order = sorted(range(len(frames)), key=lambda k: k + (rng.uniform(0, LATE) if k > 14 else 0))
    watch, pages = (
        begin_watch(folder, settings, out / "live"),
        LivePages(settings, EVERY_S, clock=lambda: 0.0),
    )
    costs, stars, points = [], set(), []
    there: list[Path] = []
    anew = False
    while order:
        for _ in range(min(int(rng.integers(0, 3)), len(order))):
            there.append(frames[order.pop(0)])
            write[there[-1]](there[-1], folder / there[-1].name)
        if there and rng.uniform() < AGAIN:
            again = there[int(rng.integers(len(there)))]
            write[again](again, folder / again.name)
        if len(there) >= half and not anew:
            anew = True
            watch.close()
            watch = begin_watch(folder, settings, out / "live")
            watch.look()
        watch.look()
        watch.renew()  # as between two looks
        begin = time.process_time()
        look = watch.look()
        middle = time.process_time()
        pages.write(look.nights, [status_of(one) for one in look.nights])
        end = time.process_time()
        for one in look.nights:
            costs.append((len(one.results), one.measured, middle - begin, end - middle))
            if one.scene is not None:
                plan = one.scene.recipe.plan
                stars.add(
                    tuple(f"{i[1:]} {x}" for i, x in zip(plan.star_id, plan.x_ref, strict=True))
                )
            if one.curve is not None and shown is not None:
                points.append((len(one.curve.flux), shown(len(one.curve.flux))))
    finish_watch(watch)
    pages.end()
    return costs, stars, points


@contextmanager
def open_page(folder: Path) -> Iterator[Callable[[], int]]:
    """Serve a run folder, open its page, and give what counts the points of its curve."""
    from selenium.common.exceptions import JavascriptException
    from selenium.webdriver.support.ui import WebDriverWait

    from browser import complaints, open_browser

    folder.mkdir(parents=True, exist_ok=True)
    with serve_folder(folder, 0) as place, open_browser() as browser:
        browser.get(place + "report.html")
        count = "return Bokeh.documents[0].roots()[0].renderers[0].data_source.data.x.length"

        def shown(number: int) -> int:
            """Wait until the page shows so many points; give how many it does."""
            with suppress(Exception):
                WebDriverWait(browser, 20, ignored_exceptions=[JavascriptException]).until(
                    lambda b: b.execute_script(count) == number
                )
            with suppress(Exception):
                return int(browser.execute_script(count))
            return 0

        yield shown
        print("complaints of the page:", complaints(browser) or "none")
        browser.save_screenshot(str(folder.parent / "page.png"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--options", default="", help="NAME=VALUE ..., of `lightcurve run`")
    parser.add_argument("--out", type=Path, default=Path("live-bench"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--browser", action="store_true")
    wanted = parser.parse_args()
    given = dict(word.split("=", 1) for word in shlex.split(wanted.options))
    settings = settings_of_keywords("watch", None, {"workers": 1, **given})
    frames = [path for path in sorted(wanted.frames.iterdir()) if is_image_name(path)]
    shutil.rmtree(wanted.out, ignore_errors=True)
    logging.disable()
    rng = np.random.default_rng(wanted.seed)
    with open_page(wanted.out / "live") if wanted.browser else nullcontext() as shown:
        costs, stars, points = watch_night(frames, settings, wanted.out, rng, shown)
    reduce_nights(wanted.out / "in", settings, wanted.out / "whole")
    for low in range(20, len(frames), 20):
        some = [(a, b) for n, new, a, b in costs if low <= n < low + 20 and new == 1]
        looks, written = np.median(some, axis=0)
        worst = max(sum(both) for both in some)
        print(f"frames {low} to {low + 19}: a look {looks:.3f} s, its page {written:.3f} s, "
              f"both at most {worst:.3f} s")  # fmt: skip
    print(f"star numbers and places: {len(stars)} kind")
    print(f"frames measured: {sum(new for _, new, *_ in costs)} of {len(frames)}, the rest again")
    if points:
        missed = [pair for pair in points if pair[0] != pair[1]]
        print(f"the open page showed all points after {len(points) - len(missed)} of "
              f"{len(points)} looks; else (there, shown): {missed or 'none'}")  # fmt: skip
    same = [
        name
        for name in TABLES
        if (wanted.out / "live" / name).read_bytes() == (wanted.out / "whole" / name).read_bytes()
    ]
    print(f"as by run, to the byte: {len(same)} of {len(TABLES)} tables")


if __name__ == "__main__":
    main()
