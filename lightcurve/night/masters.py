"""Master frames of a night: made once, and taken again as long as nothing they hang on changes."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from lightcurve.calib.library import Groups, Library
from lightcurve.calib.master_files import load_masters, write_masters
from lightcurve.calib.warm import frames_looked_at
from lightcurve.core.constants import __version__
from lightcurve.core.data import CALIBRATION, Exposure, Masters, Note, Severity, Style
from lightcurve.core.errors import LightcurveError
from lightcurve.core.files import digest, file_state, write_text
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.entries import Entry
from lightcurve.frames.inventory import Inventory
from lightcurve.frames.planes import stored_in

__all__ = ["make_masters"]

log = logging.getLogger(__name__)
MADE_OF = "made_of.txt"  # beside the masters: the digest of what they were made of
# Of the light frames: what their calibration frames have to agree with
MATCHED = (
    "shape", "filter", "binning", "exposure_s", "saturation_adu", "camera",
    "linearity_terms", "serial", "telescope", "gain_setting", "offset_setting", "readout_mode",
)  # fmt: skip


def make_masters(
    inventory: Inventory,
    lights: Sequence[Entry],
    settings: Settings,
    folder: Path,
    *,
    opening: Sequence[Entry] = (),
    progress: Progress = silent,
) -> tuple[Masters | None, str]:
    """Combine and write the calibration frames, if there are any.

    opening: those of the lights that the masters have to suit and that tell of warm pixels; else
    all of them.
    folder: written only when there is something to write; masters of an earlier run with the same
    frames and settings are taken as they are.
    Returns masters, and a digest of all that they hang on; empty without masters.
    """
    opening = opening or lights
    light, paths = typical(opening), [entry.path for entry in opening]
    library = Library(settings)
    groups, chosen = library.choose(light, _groups(inventory))
    made_of = _what_they_hang_on(groups, light, paths, settings)
    masters = _of_an_earlier_run(folder, made_of)
    if masters is None:
        masters = library.build(
            light, groups, light_frames=paths, tell_warm=_tells_warm(settings), progress=progress
        )
        masters = replace(masters, notes=(*chosen, *_done_before(lights), *masters.notes))
        if all(image is None for image in (masters.bias, masters.dark, masters.flat, masters.bad)):
            log.info("no calibration frames: the raw frames are measured as they are")
            return None, ""
        (folder / MADE_OF).unlink(missing_ok=True)
        write_masters(folder, masters)
        write_text(folder / MADE_OF, made_of)
    for note in masters.notes:
        log.log(note.severity.value, "calibration: %s", note)
    return masters, made_of


def typical(lights: Sequence[Entry]) -> Exposure:
    """Take the first light frame's setup with the median of all their temperatures."""
    warm = [t for entry in lights if (t := entry.exposure.temperature_c) is not None]
    return replace(lights[0].exposure, temperature_c=median(warm) if warm else None)


def _done_before(lights: Sequence[Entry]) -> tuple[Note, ...]:
    """Tell of light frames that came calibrated, one line for each state."""
    states = Counter(entry.exposure.done for entry in lights if entry.exposure.done)
    return tuple(
        Note(
            f"{n} of {len(lights)} light frames were calibrated before ({', '.join(done)}): "
            "not done again",
            Severity.INFO if n == len(lights) else Severity.WARNING,
        )
        for done, n in states.items()
    )


def _groups(inventory: Inventory) -> Groups:
    return {kind: [(e.path, e.exposure) for e in inventory.used(kind)] for kind in CALIBRATION}


def build(
    inventory: Inventory,
    light: Exposure,
    paths: Sequence[Path],
    settings: Settings,
    *,
    progress: Progress = silent,
) -> Masters:
    """Combine the calibration frames that suit a light frame; paths: of all, in order of time."""
    library = Library(settings)
    groups, _ = library.choose(light, _groups(inventory))
    return library.build(
        light, groups, light_frames=paths, tell_warm=_tells_warm(settings), progress=progress
    )


def _tells_warm(settings: Settings) -> bool:
    """AstroImageJ takes off what darks show, and nothing else; its style does as it does."""
    return settings.calibration.warm_from_lights and settings.apertures.style != Style.AIJ


def _what_they_hang_on(
    groups: Groups, light: Exposure, paths: Sequence[Path], settings: Settings
) -> str:
    """Digest the frames combined, the light frames they have to fit, and the settings.

    paths: of all light frames, some of which tell of warm pixels.
    """
    told_by = frames_looked_at(paths) if _tells_warm(settings) else ()
    files = tuple(
        (kind, path.name, file_state(stored_in(path)))
        for kind, group in groups.items()
        for path, _ in group
    )
    own_map = settings.calibration.bad_pixel_map
    # In whole degrees: while a night grows the median of its frames swings by tenths.
    warm = None if light.temperature_c is None else round(light.temperature_c)
    return digest(
        (
            __version__,
            files,
            (paths[0].name, file_state(stored_in(paths[0]))),
            (warm, *(getattr(light, name) for name in MATCHED)),
            settings.calibration.model_dump_json(),
            tuple((path.name, file_state(stored_in(path))) for path in told_by),
            file_state(own_map) if own_map else "",
        )
    )


def _of_an_earlier_run(folder: Path, made_of: str) -> Masters | None:
    try:
        if (folder / MADE_OF).read_text(encoding="utf-8") != made_of:
            return None
        masters = load_masters(folder)
    except OSError:
        return None  # there was no earlier run
    except LightcurveError as error:
        log.warning("masters of an earlier run are made again: %s", error)
        return None
    log.info("calibration: the masters of an earlier run serve, their frames are unchanged")
    return masters
