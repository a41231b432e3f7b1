"""Register a frame of few stars: moved against where it should be, by what they allow.

Up to five stars have no pattern that could not be chance. They do tell how far a frame is off its
header's WCS, or off where guiding and mount leave it: as the reference lies, or turned by half a
circle. What is seen elsewhere must not contradict, and of two answers one must be clearly better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np

from lightcurve.astrometry.register import ReferencePattern
from lightcurve.astrometry.transform import apply, as_matrix
from lightcurve.core.data import Detections, FoundBy, Registration
from lightcurve.core.errors import RegistrationError, Why

__all__ = ["FEW", "as_it_lies", "faintest", "register_few"]

FEW = 10  # stars, of the frame or the reference; with more of both they have a pattern
BRIGHTEST = 10  # stars of each that propose where the frame is
MATCH_PX = 2.0
FLUX_FACTOR = 1.5  # of two stars' ratio in one frame over that in another: no transit goes so far
DIMMED, BRIGHTENED = 0.01, 100.0  # of all stars: clouds, or clouds on the reference
VISIBLE = 3.0  # times the faintest light that is detected: such a star would have been seen
EDGE_PX = 6.0  # nearer to an edge a star may be missed
MAX_TURN = np.radians(3.0)  # of a field about its middle in a night, but for a flip
MIN_SIDE_PX = 20.0  # of two stars that tell a turn
REACH = 0.25  # of the frame's shorter side: a guided frame is not off by more
CLEARLY = 0.5  # of the next answer's distance: the nearer of two equal answers is believed


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    matrix: np.ndarray
    here: np.ndarray  # matched stars of the frame
    there: np.ndarray  # and of the reference
    score: int  # those that match, less those that contradict
    moved: float  # of the middle of the frame against the guess, pixels


def as_it_lies(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Give the ways in which a mount leaves a frame: as the reference lies, or turned by 180 deg.

    shape: (ny, nx). Returns two (2, 3) float arrays, transforms from the reference to the frame.
    """
    ny, nx = shape
    same = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    return same, np.array([[-1.0, 0.0, nx - 1.0], [0.0, -1.0, ny - 1.0]])


def register_few(
    stars: Detections,
    reference: ReferencePattern,
    guesses: Sequence[np.ndarray],
    found_by: FoundBy | None = None,
) -> Registration:
    """Find by how much a frame of few stars is off the nearest of some guesses.

    Parameters
    ----------
    stars : Detections
        Of the frame, brightest first.
    guesses : sequence of (2, 3) float arrays
        Transforms from the reference to the frame, as far as they are known.
    found_by : FoundBy, optional
        What the result is put down to, if not to how many stars match.

    Returns
    -------
    Registration
        Shifted, and turned a little where two stars tell it.

    Raises
    ------
    RegistrationError
        When no star of the reference is seen, what is seen contradicts, or two answers are equally
        good.
    """
    n, m = len(stars), len(reference.x)
    answers = [a for guess in guesses for a in _answers(stars, reference, guess) if a.score > 0]
    if not answers:
        msg = f"none of its {n} stars can be told to be one of the {m} of the reference"
        raise RegistrationError(msg, n_detected=n, n_catalog=m, why=Why.TOO_FEW_STARS)
    best = max(answers, key=lambda a: (a.score, -a.moved))
    for other in answers:
        if other.score < best.score or _alike(other, best, reference.shape):
            continue
        if not best.moved <= CLEARLY * other.moved:
            msg = (
                f"two places are equally likely by its {n} stars, moved by {best.moved:.1f} and by "
                f"{other.moved:.1f} px"
            )
            raise RegistrationError(msg, n_detected=n, n_catalog=m, best=float(best.score))
    here, there = _places(stars)[best.here], _points(reference)[best.there]
    matrix = _turned(best.matrix, here, there)
    rest, linear = here - apply(matrix, there), matrix[:, :2]
    by_number = FoundBy.FEW_STARS if len(best.here) > 1 else FoundBy.ONE_STAR
    return Registration(
        matrix=matrix,
        n_matched=len(best.here),
        rms_px=float(np.sqrt(np.mean(rest**2))) if len(best.here) > 1 else float("nan"),
        rotation_deg=float(np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))),
        scale=float(np.sqrt(abs(np.linalg.det(linear)))),
        mirrored=bool(np.linalg.det(linear) < 0),
        false_match_probability=float("nan"),
        found_by=found_by or by_number,
    )


def _turned(matrix: np.ndarray, here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Bring matched stars (n, 2) together by a shift, and a turn where they are not too near."""
    z, w = here @ (1, 1j), apply(matrix, there) @ (1, 1j)
    a, b = z - z.mean(), w - w.mean()
    wide = np.abs(b).max() >= MIN_SIDE_PX / 2
    turn = complex((a * b.conj()).sum() if wide else 1.0)
    turn /= abs(turn)
    shift = z.mean() - turn * w.mean()
    return _after(as_matrix(turn, shift, mirrored=False), matrix)


def _places(stars: Detections) -> np.ndarray:
    return np.column_stack([stars.x, stars.y])


def _points(reference: ReferencePattern) -> np.ndarray:
    return np.column_stack([reference.x, reference.y])


def _alike(one: _Answer, other: _Answer, shape: tuple[int, int]) -> bool:
    """Tell whether two answers put the reference's frame in the same place."""
    ny, nx = shape
    ends = np.array([[0, 0], [nx, ny]], dtype=float)
    return bool(np.abs(apply(one.matrix, ends) - apply(other.matrix, ends)).max() < 2 * MATCH_PX)


def _answers(
    stars: Detections, reference: ReferencePattern, guess: np.ndarray
) -> Iterator[_Answer]:
    """Judge every shift of the guess that brings one or two stars together."""
    here, there = _places(stars), apply(guess, _points(reference))
    tolerance = MATCH_PX * max(1.0, stars.grain / 3)
    ny, nx = reference.shape
    middle = np.array([[(nx - 1) / 2, (ny - 1) / 2]])
    for turn, shift in _moves(here[:BRIGHTEST], there[:BRIGHTEST]):
        matrix = _after(as_matrix(turn, shift, mirrored=False), guess)
        moved = float(np.hypot(*(apply(matrix, middle) - apply(guess, middle))[0]))
        if moved <= REACH * min(ny, nx):
            answer = _judge(matrix, moved, stars, reference, tolerance)
            if answer is not None:
                yield answer


def _after(move: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Give the transform (2, 3) that is `guess` and then `move`."""
    linear = move[:, :2] @ guess[:, :2]
    return np.column_stack([linear, move[:, :2] @ guess[:, 2] + move[:, 2]])


def _moves(here: np.ndarray, there: np.ndarray) -> Iterator[tuple[complex, complex]]:
    """Propose shifts, and small turns with a shift, that bring one star or two to where they are.

    Yields the turn, and the shift after it.
    """
    z, w = here @ (1, 1j), there @ (1, 1j)
    for star in z:
        for point in w:
            yield 1 + 0j, complex(star - point)
    for a, b in permutations(range(len(z)), 2):
        for c, d in combinations(range(len(w)), 2):
            side, other = z[b] - z[a], w[d] - w[c]
            if min(abs(side), abs(other)) < MIN_SIDE_PX:
                continue
            turn = side / other
            if abs(abs(side) - abs(other)) < 2 * MATCH_PX and abs(np.angle(turn)) < MAX_TURN:
                turn /= abs(turn)
                yield complex(turn), complex((z[a] + z[b] - turn * (w[c] + w[d])) / 2)


def _judge(
    matrix: np.ndarray,
    moved: float,
    stars: Detections,
    reference: ReferencePattern,
    tolerance: float,
) -> _Answer | None:
    """Count the stars that a transform brings together, and those that are missing on it."""
    places, points = _places(stars), _points(reference)
    apart = places[:, None] - apply(matrix, points)
    distance = np.hypot(apart[..., 0], apart[..., 1])
    # Each other's nearest, so that pairs are one to one.
    here = np.arange(len(places))
    there = distance.argmin(axis=1)
    good = (distance[here, there] <= tolerance) & (distance[:, there].argmin(axis=0) == here)
    here, there = here[good], there[good]
    if not len(here):
        return None
    ratio = stars.flux[here] / reference.flux[there]
    usual = float(np.median(ratio))
    same = (ratio < FLUX_FACTOR * usual) & (ratio > usual / FLUX_FACTOR)
    here, there = here[same], there[same]
    if not DIMMED < usual < BRIGHTENED or not len(here):
        return None
    wanted = _inside(apply(matrix, points), reference.shape)
    wanted &= reference.flux * usual > VISIBLE * faintest(stars)
    wanted[there] = False
    back = np.linalg.solve(matrix[:, :2], (places - matrix[:, 2]).T).T
    unknown = _inside(back, reference.shape) & (stars.flux > VISIBLE * usual * reference.faintest)
    unknown[here] = False
    return _Answer(matrix, here, there, len(here) - int(wanted.sum() + unknown.sum()), moved)


def _inside(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    ny, nx = shape
    high = np.array([nx - 1 - EDGE_PX, ny - 1 - EDGE_PX])
    return np.asarray(((points > EDGE_PX) & (points < high)).all(axis=1))


def faintest(stars: Detections) -> float:
    """Estimate the light of a star that is detected for certain, ADU: ten times its noise."""
    width = float(np.median(stars.fwhm)) if len(stars) else 3.0
    return 10 * stars.sky_rms * np.sqrt(np.pi) * width
