"""What a night's page tells below its charts: what the results rest on, times, versions, files."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Collection, Iterable
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from lightcurve.core.constants import DAY_S, __version__
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.flags import Flag
from lightcurve.core.setting_names import flat
from lightcurve.core.settings import Settings
from lightcurve.night.products import LIBRARIES
from lightcurve.night.reduced import Night
from lightcurve.report.html import Section, Table, table_of

MANY = 3  # sources that are told apart
PRODUCTS = {
    "lightcurve.csv": "the light curve, a row a frame",
    "measurements.csv": "all stars, in AstroImageJ's columns",
    "stars.csv": "the stars, what each is for and why",
    "comparisons.csv": "each comparison star against the others",
    "frames.csv": "every file found, and what became of it",
    "nebs.csv": "neighbours that could feign the transit",
    "model.csv": "the fitted model at the times of the points",
    "fit.json": "the fit: parameters, statistics, verdict",
    "trust.json": "how far to trust a depth: what transits put into this night say",
    "trust.csv": "those transits, a row each",
    "csv-metadata.json": "what the columns of the tables mean",
    "run.toml": "settings, versions and values, to repeat the run",
    "run.log": "what the run said",
}


def rests_on(night: Night, frames: list[dict[str, Any]]) -> list[Section]:
    """Tell the values that the night rests on, its times, and how the run was made.

    frames: what became of each file.
    """
    values = sorted(night.scene.values, key=lambda value: not value.guessed)
    assumed = Table(("value", "", "source"), tuple(value.row for value in values))
    guessed = [value.name for value in values if value.guessed]
    told = (f"Taken for want of a better value: {', '.join(guessed)}.",) if guessed else ()
    return [
        Section("What it rests on", told, tables=(assumed,)),
        Section("Times", tuple(_odd_times(night)), tables=(_times(night),)),
        Section(
            "Provenance",
            tables=(
                _made_with(night),
                _settings(night.settings),
                *_files(frames),
            ),
        ),
    ]


def _files(frames: list[dict[str, Any]]) -> tuple[Table, ...]:
    """List every file found; what is the same of all of them stands once, before the list."""
    names = dict.fromkeys(name for frame in frames for name in frame)
    told = {name: {str(frame.get(name, "")) for frame in frames} for name in names}
    shared = {name: words.pop() for name, words in told.items() if len(frames) > 1 == len(words)}
    rows = [{name: v for name, v in frame.items() if name not in shared} for frame in frames]
    of_all = tuple((name, word) for name, word in shared.items() if word)
    return (
        Table(("of every file", ""), of_all, title="The same of every file found", folded=True),
        table_of(rows, title="Every file found", folded=True),
    )


def _times(night: Night) -> Table:
    """Say where the times come from, and how far they may be believed."""
    m = night.measurements
    exposures = [r.exposure for r in night.results if r.exposure is not None]
    rows: list[tuple[str, str]] = [
        ("clock", _counted(e.sources.get("mid_jd_utc", "") for e in exposures)),
        ("exposure", _counted(e.sources.get("exposure_s", "") for e in exposures)),
    ]
    open_s = [e.time_uncertainty_s for e in exposures]
    if open_s:
        rows.append(("left open by the clock", f"{max(open_s):.3g} s either way at most"))
    if night.settings.time.clock_correction_s:
        rows.append(("clock correction", f"{night.settings.time.clock_correction_s:g} s, as told"))
    known = m.jd_utc[np.isfinite(m.jd_utc)]
    if known.size:
        first, last = (iso_from_jd(float(t))[:19] for t in (known.min(), known.max()))
        rows.append(("middle of the exposures", f"{first} to {last} UTC"))
        rows.append(("between frames", _gaps(known)))
    if np.isfinite(m.bjd_tdb - m.jd_utc).any():
        later = DAY_S * (m.bjd_tdb - m.jd_utc)
        words = f"{np.nanmin(later):+.1f} to {np.nanmax(later):+.1f} s"
        rows.append(("BJD_TDB minus JD_UTC", words + ("" if m.site else ", at the Earth's centre")))
    unsure = int(((m.flags & int(Flag.TIME_UNCERTAIN)) != 0).any(axis=(1, 2)).sum())
    if unsure:
        rows.append(("frames with an uncertain time", str(unsure)))
    return Table(("", ""), tuple(rows))


def _counted(words: Iterable[str]) -> str:
    """Join the different words, the most frequent ones, with how often each was met."""
    counts = Counter(word for word in words if word)
    if len(counts) == 1:
        return next(iter(counts))
    told = [f"{word} ({count} frames)" for word, count in counts.most_common(MANY)]
    return "; ".join(told) + (" ..." if len(counts) > MANY else "")


def _gaps(times: np.ndarray) -> str:
    """Describe the times between frames: (n,) float array, days, in order."""
    gaps = DAY_S * np.diff(np.sort(times))
    if not gaps.size:
        return "one frame"
    return f"{np.median(gaps):.4g} s, {gaps.max():.4g} s at most"


def _odd_times(night: Night) -> list[str]:
    """Tell what was odd about times: of the folder, and of frames left out for it."""
    left_out = [f"{path.name} is left out: {why}" for path, why in night.scene.unused.items()]
    return [*night.inventory.warnings, *left_out]


@cache  # each is a search of the disk, and a night that goes on tells them again and again
def _versions() -> tuple[tuple[str, str], ...]:
    return tuple((name, version(name)) for name in LIBRARIES)


def _made_with(night: Night) -> Table:
    """Versions, seed and what went in."""
    scene = night.scene
    rows = [
        ("lightcurve", __version__),
        ("Python", platform.python_version()),
        *_versions(),
        ("seed", str(night.settings.seed)),
        ("frames from", str(night.inventory.folder)),
        ("files found", night.inventory.summary()),
        ("reference frame", scene.reference.path.name),
    ]
    return Table(("", ""), tuple(rows), "Made with")


def _settings(settings: Settings) -> Table:
    """List the settings that are not those that one gets without a word."""
    given = flat(settings.model_dump(mode="json", exclude_defaults=True, exclude_none=True))
    rows = tuple(
        (name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in given.items()
    )
    return Table(("setting", "value"), rows or (("all", "as they come"),), "Settings given")


def product_links(names: Collection[str]) -> Section:
    """Link to the files of the run, which lie beside the page.

    names: of those that are written, relative to the run folder.
    """
    figures = sorted(name for name in names if name.startswith("figures/"))
    known = {name: words for name, words in PRODUCTS.items() if name in names}
    return Section("Files of this run", links=known | dict.fromkeys(figures, ""))
