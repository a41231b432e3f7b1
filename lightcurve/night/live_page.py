"""The page of a night that goes on: report.html as `run` writes it, and what tells of a newer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lightcurve.core.files import json_text, write_text
from lightcurve.core.settings import Settings
from lightcurve.night.frame_table import frame_rows
from lightcurve.night.live import LiveLook
from lightcurve.night.live_status import Status
from lightcurve.night.page import page_of
from lightcurve.night.products import summarise
from lightcurve.night.reduced import Night
from lightcurve.report.page.bundle import write_night_page
from lightcurve.report.page.contents import Json, Summary

__all__ = ["LivePages"]

BEAT = "live.json"  # beside the page: its stamp, by which an open one knows of a newer
PAGE = "report.html"
SHARE = 4.0  # times as long as the last pages took nobody writes the next


class LivePages:
    """Writes the pages of the light curves of a folder, in a fifth of the time at most."""

    def __init__(
        self, settings: Settings, every_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings, self._every_s, self._clock = settings, every_s, clock
        self._next = -math.inf
        self._written: dict[Path, int] = {}

    def write(self, looks: Sequence[LiveLook], several: Sequence[Status]) -> None:
        """Write those that have news; several: of the looks."""
        begin = self._clock()
        if begin < self._next:
            return
        for look, status in zip(looks, several, strict=True):
            news = hash((status.file, status.measured, status.lost, status.alarms))
            if self._written.get(look.folder) != news:
                self._written[look.folder] = news
                write_live_page(look, status, self._settings, str(time.time_ns()), self._every_s)
        now = self._clock()
        self._next = now + SHARE * (now - begin)

    def end(self) -> None:
        """Let open pages know that the last page is there."""
        for folder in self._written:
            write_text(folder / BEAT, json_text({"stamp": ""}))


def write_live_page(
    look: LiveLook, status: Status, settings: Settings, stamp: str, every_s: float
) -> None:
    """Write the page of what there is, then its beat.

    stamp: another for each page; every_s: seconds after which an open page looks for it.
    """
    scene, m, curve = look.scene, look.measurements, look.curve
    if scene is None or m is None or curve is None or look.inventory is None:
        return
    night = Night(look.inventory, look.target, settings, scene, look.results, m, curve, None, None)
    rows = frame_rows(*night.of_frames)
    page = page_of(night, [], summary=summarise(night), frames=rows, film=False)
    verdict = Summary("", say_where(status), tuple(alarm.text for alarm in status.alarms))
    live: dict[str, Json] = {"stamp": stamp, "every_s": every_s, "beat": BEAT}
    write_night_page(look.folder / PAGE, replace(page, verdict=verdict, live=live))
    # Last: who reads it finds the page. Programs find how the night stands.
    write_text(look.folder / BEAT, json_text({"stamp": stamp, **status.record}))


def say_where(status: Status) -> str:
    """Say how far the night is."""
    ahead = [contact for contact in status.contacts if contact.minutes > 0]
    coming = f"; {ahead[0].name} at {ahead[0].utc} UTC" if ahead else ""
    last = f"{status.measured} frames, the last of {status.utc[11:]} UTC"
    return f"The night goes on: {last}{coming}."
