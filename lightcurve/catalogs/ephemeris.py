"""The path of a known object as a service tells it, and for which times it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightcurve.core.data import Site

__all__ = ["Ephemeris"]

GAP_DAYS = 0.75  # without a frame: a night is over


@dataclass(frozen=True, slots=True, eq=False)
class Ephemeris:
    """Places of an object; (n,) float arrays, JD (UTC) and degrees."""

    name: str  # its number, else its designation, else what the service calls it
    title: str  # as the service calls it
    jd_utc: np.ndarray
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    seen_from: str
    service: str


def viewpoint(site: Site | None, mpc_code: str | None) -> str:
    """Say from where an object is seen: the code of the observatory wins."""
    if mpc_code:
        return f"observatory {mpc_code}"
    if site is not None:
        return f"{site.latitude_deg:.4f} {site.longitude_deg:.4f}"
    return "the Earth's centre"


def stretches(times: Sequence[float]) -> list[tuple[float, float]]:
    """Tell when there are frames, night by night: the first and the last of each, JD."""
    order = np.sort(np.asarray(times, float))
    ends = np.flatnonzero(np.diff(order) > GAP_DAYS)
    first, last = np.r_[0, ends + 1], np.r_[ends, len(order) - 1]
    return [(float(order[a]), float(order[b])) for a, b in zip(first, last, strict=True)]
