"""The times of a night, held against one another."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from lightcurve.constants import DAY_S

CLOCK_SLACK_S = 1.0  # many programs cut the second rather than round it


def check_cadence(
    jd_mid: Sequence[float], exposure_s: Sequence[float], file_names: Sequence[str]
) -> tuple[str, ...]:
    """Look for times that cannot all be right.

    jd_mid: (n,) sequence of float, mid-exposure, any order; exposure_s: (n,) sequence of float, NaN
    where not known; file_names: (n,) sequence of str.
    One line for each kind of oddity: equal times, exposures that overlap by more than a second, and
    times that run against the numbers in the file names.
    Raises ValueError when the three differ in length.
    """
    jd, exposure = np.asarray(jd_mid, dtype=float), np.asarray(exposure_s, dtype=float)
    if not jd.shape == exposure.shape == (len(file_names),):
        msg = f"{jd.size} times, {exposure.size} exposures and {len(file_names)} names differ"
        raise ValueError(msg)
    order = np.argsort(jd, kind="stable")
    names = [file_names[k] for k in order]
    gap = np.diff(jd[order]) * DAY_S
    needed = (exposure[order][1:] + exposure[order][:-1]) / 2
    equal = np.flatnonzero(gap < 0.001)
    overlap = np.flatnonzero((gap >= 0.001) & (gap < needed - CLOCK_SLACK_S))
    by_name = sorted(range(len(names)), key=lambda k: natural_key(file_names[k]))
    back = [k for a, k in pairwise(by_name) if jd[k] < jd[a] - 1e-8]
    lines = []
    if equal.size:
        a, b = names[equal[0]], names[equal[0] + 1]
        lines.append(f"pairs of frames of the same time: {equal.size}, first {a} and {b}")
    if overlap.size:
        k = overlap[0]
        text = f"{names[k]} and {names[k + 1]}: {gap[k]:.1f} s apart, {needed[k]:.1f} s long"
        lines.append(f"pairs of exposures that overlap in time: {overlap.size}, first {text}")
    if back:
        text = f"frames earlier than the one before them by name: {len(back)}"
        lines.append(f"{text}, first {file_names[back[0]]}")
    return tuple(lines)


def natural_key(name: str) -> tuple:
    """Order names as people count: ``img2`` before ``img10``.

    To be compared with that of another name.
    """
    parts = re.split(r"([0-9]+)", name.lower())
    return tuple((int(p[:18]), "") if k % 2 else (0, p) for k, p in enumerate(parts))
