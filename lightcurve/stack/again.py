"""What is seen again: changes of one frame, looked for in the differences of the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.astrometry.header_wcs import read_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS

CHANCE = 0.01  # that noise alone shows a change again, in any of the other frames
PLACES = 9  # pixels that are looked at, whose noise is tied
MOVED_FWHM = 2.0  # of a pixel over the sky, and a star on it is elsewhere
OF_THE_FIRST = 0.5  # of its sigma, that a pixel of its own current has in other frames
STUCK = "on the same pixel in other frames, elsewhere on the sky"


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A frame's difference as it was written: sigma of a star at each pixel (ny, nx), and WCS."""

    score: np.ndarray
    wcs: WCS
    fwhm: float

    def strongest(self, x: np.ndarray, y: np.ndarray, sign: np.ndarray) -> np.ndarray:
        """Tell the most sigma of a sign about places: (n,), NaN where the frame has no value."""
        ny, nx = self.score.shape
        inside = (x > 0.5) & (x < nx - 1.5) & (y > 0.5) & (y < ny - 1.5)
        i, j = (np.rint(np.where(inside, v, 1)).astype(int) for v in (x, y))
        box = [self.score[j + v, i + u] for v in (-1, 0, 1) for u in (-1, 0, 1)]
        most = np.fmax.reduce(sign * np.array(box))
        return np.asarray(np.where(inside & np.isfinite(self.score[j, i]), most, np.nan))


def look_again(rows: Sequence[Mapping[str, Any]], out: Path) -> list[dict[str, Any]]:
    """Tell of each change in how many other frames it could be seen, and in how many it is.

    rows: as `subtract_template` makes them, with the file of the difference.
    What stays on its pixel while the sky moves is the detector's, and gets that for its reason.
    """
    shown = [k for k, row in enumerate(rows) if row.get("difference")]
    told = [dict(row) for row in rows]
    changes = [(k, one) for k in shown for one in rows[k]["found"] if not one["reason"]]
    if len(shown) < 2 or not changes:
        return told
    owner = np.array([k for k, _ in changes])
    columns = [[one[name] for _, one in changes] for name in ("ra_deg", "dec_deg", "x", "y", "snr")]
    frames = zip(shown, _read(rows, shown, out), strict=True)
    counts = _counts(owner, np.array(columns), frames, _least_sigma(len(shown)))
    later = iter(counts.T)
    for k in shown:
        told[k]["found"] = [
            one if one["reason"] else _told(one, *map(int, next(later))) for one in rows[k]["found"]
        ]
    return told


def _read(rows: Sequence[Mapping[str, Any]], shown: Sequence[int], out: Path) -> Iterator[Scored]:
    """Read the differences as they were written, one at a time."""
    from astropy.io import fits

    for k in shown:
        with fits.open(out / rows[k]["difference"], memmap=False) as written:
            score = np.asarray(written["SCORE"].data, np.float32)
            wcs = read_wcs(written[0].header, (score.shape[0], score.shape[1]))
        yield Scored(score, wcs, float(rows[k]["fwhm_px"]))


def _counts(
    owner: np.ndarray, columns: np.ndarray, frames: Iterator[tuple[int, Scored]], least: float
) -> np.ndarray:
    """Count frames: (4, n) of which could show each change, do, have its pixel elsewhere, stuck.

    owner: (n,) number of the frame each is of. columns: (5, n) RA, Dec (degrees), x, y, sigma.
    least: sigma of what is seen.
    """
    ra, dec, x, y, snr = columns
    sign, size = np.sign(snr), np.abs(snr)
    counts = np.zeros((4, len(owner)), int)
    for number, frame in frames:
        others = owner != number
        there_x, there_y = frame.wcs.all_world2pix(ra, dec, 0, quiet=True)
        again = np.where(others, frame.strongest(there_x, there_y, sign), np.nan)
        moved = np.hypot(there_x - x, there_y - y) > MOVED_FWHM * frame.fwhm
        pixel = np.where(others & moved, frame.strongest(x, y, sign), np.nan)
        counts += [
            np.isfinite(again), again > least, np.isfinite(pixel),
            pixel > np.maximum(least, OF_THE_FIRST * size),
        ]  # fmt: skip
    return counts


def _least_sigma(frames: int) -> float:
    """Sigma that noise does not reach in any of so many frames, at the places looked at."""
    from scipy.special import ndtri

    return -float(ndtri(CHANCE / (PLACES * (frames - 1))))


def _told(one: Mapping[str, Any], looked: int, seen: int, moved: int, stuck: int) -> dict[str, Any]:
    """Add to a change what other frames show."""
    reason = STUCK if stuck and 2 * stuck >= moved else ""
    return {**one, "looked_in": looked, "seen_in": seen, "reason": reason}
