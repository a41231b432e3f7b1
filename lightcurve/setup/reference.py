"""Which of the sampled frames is the reference: one whose stars the others have too, and sharp.

A frame may have most stars because it is trailed into two images or full of artefacts, and few
because it is under a cloud or points elsewhere: its number of stars alone tells neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from lightcurve.astrometry.register import make_reference, register
from lightcurve.core.errors import RegistrationError
from lightcurve.setup.solving import Sample

__all__ = ["rank_samples", "why_poor"]

MOST_STARS = 60  # of a frame, to be held against another's
AS_GOOD = 0.8  # of the best: the frame nearer the middle of the night serves better
BLURRED = 1.2  # times as wide as the sharpest: its peaks are a third lower
# What was begun with stays unless another frame is better by so much: half the stars, or stars
# half as wide again, cost more than a night settled anew.
HALF_AS_GOOD, MUCH_WIDER = 0.5, 1.5


def rank_samples(samples: Sequence[Sample]) -> list[Sample]:
    """Order sampled frames by what they are worth as the reference, the best first.

    A frame that is placed on the sky already comes before all others, where these are not. Of those
    with as many stars in common with the others, and as sharp, the order is left.
    """
    worth = _worth(samples)
    good = worth >= AS_GOOD * worth.max()
    width = np.array([_width(sample) for sample in samples])
    sharp = width <= BLURRED * np.nanmin(np.where(good, width, np.inf))
    keys = [(_unplaced(s), not a, not b) for s, a, b in zip(samples, good, sharp, strict=True)]
    return [samples[k] for k in sorted(range(len(samples)), key=keys.__getitem__)]


def why_poor(reference: Sample, others: Sequence[Sample]) -> str:
    """Say why a reference that was chosen among few frames is clearly worse than others.

    Parameters
    ----------
    others : sequence of Sample
        Spread over the night.

    Returns
    -------
    str
        Empty where it serves.
    """
    samples = [reference, *others]
    worth, names = _worth(samples), [sample.frame.path.name for sample in samples]
    best = int(np.argmax(worth))
    if worth[0] < HALF_AS_GOOD * worth[best]:
        return f"{names[best]} has far more stars that the others have too"
    good = np.array([_width(s) if w >= AS_GOOD * worth[best] else np.inf
                     for s, w in zip(samples, worth, strict=True)])  # fmt: skip
    sharpest = int(np.argmin(good))
    if _width(reference) > MUCH_WIDER * good[sharpest]:
        wide = f"stars are {_width(reference):.1f} px wide"
        return f"{wide}, {good[sharpest]:.1f} px in {names[sharpest]}"
    return ""


def _worth(samples: Sequence[Sample]) -> np.ndarray:
    """Count each frame's stars (n,), as far as the others confirm them.

    Squared: stars that no other has are not only worth nothing, they mislead. Where no two frames
    can be held against each other all count.
    """
    n = len(samples)
    alike = np.eye(n)
    for i, j in combinations(range(n), 2):
        alike[i, j] = alike[j, i] = _alike(samples[i], samples[j])
    number = np.array([len(sample.stars) for sample in samples], dtype=float)
    confirmed = (alike.sum(axis=1) - 1) / max(n - 1, 1)
    return number * confirmed**2 if confirmed.any() else number


def _alike(one: Sample, other: Sample) -> float:
    """Tell the part of the brightest stars of two frames, as many of each, that are the same.

    As many as both have: a frame under a cloud lacks faint ones, and is not another field.
    """
    n = min(len(one.stars), len(other.stars), MOST_STARS)
    (here, there) = ((s.stars.x[:n], s.stars.y[:n], s.stars.flux[:n]) for s in (one, other))
    try:
        found = register(*here, make_reference(*there, other.frame.pixels.shape))
    except RegistrationError:
        return 0.0
    return found.n_matched / n


def _width(sample: Sample) -> float:
    known = sample.stars.fwhm[np.isfinite(sample.stars.fwhm)]
    return float(np.median(known)) if known.size else np.inf


def _unplaced(sample: Sample) -> bool:
    return not str(sample.frame.header.get("CTYPE1", "")).upper().startswith(("RA", "DEC", "GLON"))
