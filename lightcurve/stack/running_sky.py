"""The sky of each frame as the frames before and after it show it: for bright skies that change.

In the near infrared what a flat field and the night sky's lines leave is brighter than most stars,
and the same on the chip from one frame to the next, while the telescope moves.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lightcurve.core.data import Frame
from lightcurve.core.progress import Progress
from lightcurve.core.settings import StackSettings
from lightcurve.stack.align import Aligned
from lightcurve.stack.take import Member, bad_file, light_file

NEAR_INFRARED = ("J", "H", "K", "Ks")
EACH_SIDE = 3  # frames in time: six skies have a median whatever star is in one or two of them
FEWEST = 3  # of them
MOVED_FWHM = 3.0  # by so much a frame must be moved for its stars not to be another's
ROWS = 256  # at a time
MEDIAN_VARIANCE = 1.57  # of a median of many, in that of their mean
log = logging.getLogger(__name__)


def is_wanted(settings: StackSettings, band: str | None) -> bool:
    """Tell whether skies are taken from neighbours: as the settings say, else in J, H and K."""
    if settings.sky_from_neighbours is not None:
        return settings.sky_from_neighbours
    return band in NEAR_INFRARED


def subtract_running_sky(aligned: Aligned, work: Path, progress: Progress) -> Aligned:
    """Take off each frame the median of its neighbours in time, scaled by the level of its sky.

    What is smooth has been taken off already; this is what is left of the sky on the chip. Only
    frames count on which the stars have moved by three of their widths, else the stars themselves
    were taken off; a frame with fewer than three such stays as it is. work: folder for the pixels.
    """
    members = aligned.members
    shift = _places(aligned)
    order = np.argsort([one.exposure.mid_jd_utc or 0.0 for one in members], kind="stable")
    found, alone = list(members), 0
    for place, k in enumerate(progress(order.tolist(), "Running sky", len(order))):
        # The nearest in time first.
        near = order[np.argsort(np.abs(np.arange(len(order)) - place), kind="stable")]
        apart = np.hypot(*(shift[near] - shift[k]).T)
        moved = near[apart > MOVED_FWHM * np.nanmedian(aligned.fwhm_px)]
        if len(moved) < FEWEST:
            alone += 1
            continue
        around = [members[j] for j in moved[: 2 * EACH_SIDE]]
        found[k] = _less_sky(members[k], around, work / f"sky{k}")
    log.info("sky of each frame from the %d next to it in time that were moved", 2 * EACH_SIDE)
    if alone:
        log.warning("%d frames have no three beside them that were moved: their own sky", alone)
    return replace(aligned, members=tuple(found))


def _places(aligned: Aligned) -> np.ndarray:
    """Where each frame has the middle of the reference: (n, 2) pixels."""
    ny, nx = aligned.members[0].shape
    middle = np.array([nx / 2]), np.array([ny / 2])
    return np.array([np.concatenate(warp(*middle)) for warp in aligned.warps])


def _less_sky(member: Member, around: Sequence[Member], stem: Path) -> Member:
    """Write a frame's pixels less the median of its neighbours', some rows at a time."""
    own, others = member.frame, [one.frame for one in around]
    known = [_shows_sky(frame) for frame in others]
    levels = [_level(member, one) for one in around]
    ny, _ = member.shape
    with light_file(stem).open("wb") as file:
        for start in range(0, ny, ROWS):
            rows = slice(start, min(start + ROWS, ny))
            skies = np.stack(
                [
                    np.where(there[rows], frame.pixels[rows] * level, np.float32(np.nan))
                    for frame, there, level in zip(others, known, levels, strict=True)
                ]
            )
            enough = np.isfinite(skies).sum(axis=0) >= FEWEST
            sky = np.zeros(enough.shape, np.float32)
            sky[enough] = np.nanmedian(skies[:, enough], axis=0)
            (own.pixels[rows] - sky).tofile(file)
    np.asarray(own.bad).tofile(bad_file(stem))
    more = np.float32(np.sqrt(1 + MEDIAN_VARIANCE / len(around)))
    return replace(member, stem=stem, noise=member.noise * more)


def _level(member: Member, other: Member) -> np.float32:
    """How much brighter a frame's sky is than another's; 1 where either has none."""
    if member.sky_adu <= 0 or other.sky_adu <= 0:
        return np.float32(1)
    return np.float32(member.sky_adu / other.sky_adu)


def _shows_sky(frame: Frame) -> np.ndarray:
    """Good pixels: (ny, nx) bool. A star is in one of the skies, and no matter to their median."""
    return np.asarray((frame.bad == 0) & np.isfinite(frame.pixels))
