"""What became of every file found: the rows of frames.csv."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from lightcurve.core.columns import FRAMES
from lightcurve.core.data import FrameResult, FrameStatus, Site
from lightcurve.core.errors import LightcurveError
from lightcurve.core.times import bjd_tdb, hjd_utc
from lightcurve.frames.inventory import Inventory
from lightcurve.night.scene import Scene
from lightcurve.setup.target import Target
from lightcurve.tables.columns import write_table

log = logging.getLogger(__name__)


def write_frames_table(
    out: Path,
    inventory: Inventory,
    target: Target,
    scene: Scene | None = None,
    results: Sequence[FrameResult] = (),
) -> Path:
    """Write frames.csv: what became of every file found, as far as is known yet.

    results : of the lights of the scene, in their order.
    """
    return write_table(out / FRAMES.name, FRAMES, frame_rows(inventory, target, scene, results))


@contextmanager
def whatever_comes(out: Path, inventory: Inventory, target: Target) -> Iterator[None]:
    """Write frames.csv where the frames of a folder cannot be sorted: it has the reasons."""
    try:
        yield
    except LightcurveError:
        report_inventory(out, inventory, target)
        raise


def report_inventory(out: Path, inventory: Inventory, target: Target) -> None:
    """Say what is odd in a folder, and write frames.csv as far as it is known."""
    for warning in inventory.warnings:
        log.warning("%s", warning)
    write_frames_table(out, inventory, target)


def frame_rows(
    inventory: Inventory,
    target: Target,
    scene: Scene | None = None,
    results: Sequence[FrameResult] = (),
) -> list[dict[str, Any]]:
    """Tell for every file found what became of it."""
    lights = scene.lights if scene else ()
    by_path = dict(zip(lights, results, strict=True)) if results else {}
    unused = scene.unused if scene else {}
    rows = []
    for entry, row in zip(inventory.entries, inventory.rows(), strict=True):
        result = by_path.get(entry.path)
        if entry.path in unused:
            row |= {"status": FrameStatus.UNUSED, "reason": unused[entry.path]}
        if result is not None:
            row |= {"status": result.status, "reason": result.reason}
            row |= {**_times(result, target), **_quality(result)}
        rows.append(row)
    return rows


def _times(result: FrameResult, target: Target) -> dict[str, float]:
    """Mid-exposure on the three scales in use."""
    exposure = result.exposure
    if exposure is None or exposure.mid_jd_utc is None:
        return {}
    return _scales(exposure.mid_jd_utc, target.ra_deg, target.dec_deg, exposure.site)


@lru_cache(maxsize=10_000)  # the table of a night that grows is written again and again
def _scales(jd_utc: float, ra_deg: float, dec_deg: float, site: Site | None) -> dict[str, float]:
    place = (jd_utc, ra_deg, dec_deg, site)
    return {
        "jd_utc": jd_utc,
        "hjd_utc": float(hjd_utc(*place)),
        "bjd_tdb": float(bjd_tdb(*place)),
    }


def _quality(result: FrameResult) -> dict[str, Any]:
    registration = result.registration
    return {
        "n_detected": result.n_detected,
        "n_matched": registration.n_matched if registration else None,
        "rms_px": registration.rms_px if registration else None,
        "found_by": registration.found_by if registration else None,
        "fwhm_px": result.fwhm_px,
        "sky": result.sky,
    }
