"""Master flats: what is taken off, stars of twilight left out, and what is to be told of them."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np

from lightcurve.calib.combine import Combined, Terms, as_terms, open_rows, prepared, rows_of
from lightcurve.calib.match import Group, by_exposure, name_some, same_exposure
from lightcurve.calib.stacker import NOISE_ROWS, Stacker, level_of, middle_rows
from lightcurve.core.data import Exposure, FrameKind, Severity, Step
from lightcurve.core.errors import CalibrationError
from lightcurve.core.robust import robust_scatter

NEAR_SATURATION = 0.85  # of it, in the middle: the brightest parts of the field may be there
FEWEST = 3  # flats by which a star in one of them is told
# Stars and spots are told by squares of so many pixels a side: a quarter of the work, and a star is
# wider.
CELL_PX = 2
SMOOTH, AROUND = 1.0, 17  # cells: a star's width; the side of the square that it is held against
STRIP = 128  # rows that are looked at together, an even number: what is made of them stays cached
SCATTER_SAMPLES = 1_000_000  # pixels, at least, that tell a scatter: to 0.2 %
PASSES = 2
MANY_SIGMA = 2.0
# A core is no noise among a million pixels; its wings reach down to the noise, and a little below.
STAR_SIGMA, WING_SIGMA, GROW = 5.0, 1.0, 1  # the last in cells
LEAST_RESPONSE = 0.05  # of the mean: darker pixels are dead or in shadow
TILTED = 0.01  # from edge to edge, between flats: a star that drifts over a tenth loses 0.1 %
# Relative, of one pixel: a star of 3 pixels' radius has 28 of them, and 0.1 % of noise by them.
NOISY = 0.005
BANDS = 16
WILD = 100.0  # times the typical variance
AgainstMean = Callable[[tuple[int, int]], tuple[np.ndarray, np.ndarray]]


def combine_flats(
    groups: dict[FrameKind, Group],
    stacker: Stacker,
    bias: np.ndarray | None,
    dark: np.ndarray | None,
    dark_seconds: float | None,
    light: Exposure,
) -> Combined | None:
    """Combine flats, each divided by its level, without the stars that stand in some of them.

    bias, dark: (ny, nx) ADU, the dark of `dark_seconds` without its bias, or None. The scatter
    goes to the stacker's notes, with what is odd about them.
    """
    flats = _well_exposed(groups[FrameKind.FLAT], light, stacker)
    terms = _flat_terms(
        {**groups, FrameKind.FLAT: flats}, stacker, bias, dark, dark_seconds=dark_seconds
    )
    combined = stacker.combined(FrameKind.FLAT, flats, subtract=terms, scale="median")
    if combined is None or len(flats) < FEWEST:
        return combined
    sky = _Sky(combined, as_terms(terms, combined.image.shape, len(flats), stacker.linear))
    stars: list[np.ndarray] = []
    for _ in range(PASSES):  # against a mean without the bright ones faint ones show
        stars = sky.stars()
        if not any(one.size for one in stars):
            break
        without = stacker.combined(
            FrameKind.FLAT, flats, subtract=terms, scale="median", without=stars,
            before=sky.combined,
        )  # fmt: skip
        sky = sky if without is None else replace(sky, combined=without)
    if seen := sum(one.size > 0 for one in stars):
        share = sum(map(len, stars)) / len(stars) / combined.image.size
        what = "stars or cosmic rays"
        text = f"{what} in {seen} of {len(flats)} frames are left out ({share:.2%} of all pixels)"
        stacker.note(text, FrameKind.FLAT)
    _judge(sky, stacker)
    return sky.combined


def _well_exposed(flats: Group, light: Exposure, stacker: Stacker) -> Group:
    """Leave out flats near saturation or beyond what is linear, where enough others are left."""
    ceilings = [light.linearity_adu] if light.linearity_adu else []
    if light.saturation_adu:
        ceilings.append(NEAR_SATURATION * light.saturation_adu)
    if not flats or not ceilings:
        return flats
    ceiling = min(ceilings)
    bright = [
        (path, exposure)
        for path, exposure in flats
        if Step.BIAS not in exposure.done and level_of(path) > ceiling
    ]
    if not bright:
        return flats
    rest = [one for one in flats if one not in bright]
    what = "of what is linear"
    if light.saturation_adu and ceiling == NEAR_SATURATION * light.saturation_adu:
        what = f"{NEAR_SATURATION:.0%} of saturation"
    text = (
        f"{len(bright)} of {len(flats)} frames are exposed to over {ceiling:.0f} ADU ({what}): "
        f"{name_some([path.name for path, _ in bright])}"
    )
    left_out = len(rest) >= FEWEST
    stacker.note(f"{text}{'; left out' if left_out else ''}", FrameKind.FLAT, Severity.WARNING)
    return rest if left_out else flats


@dataclass(frozen=True, slots=True, eq=False)
class _Sky:
    """The flats against their mean: what differs is in the sky and not in the camera.

    terms: what is taken off each, of `as_terms`.
    """

    combined: Combined
    terms: Terms

    def stars(self) -> list[np.ndarray]:
        """Find the pixels of stars in each flat, as sorted indices into all of its pixels.

        Rows about the middle tell whether there are any: of a screen or a dome there are none.
        """
        ny = self.combined.image.shape[0]
        middle = middle_rows(ny)
        found = [self._stars_in(k, middle) for k in range(len(self.combined.paths))]
        if ny <= NOISE_ROWS or not any(one.size for one in found):
            return found
        return [self._stars_in(k, (0, ny)) for k in range(len(self.combined.paths))]

    def _stars_in(self, index: int, rows: tuple[int, int]) -> np.ndarray:
        from scipy.ndimage import binary_dilation, binary_propagation

        nx = self.combined.image.shape[1]
        cells = np.zeros(((rows[1] - rows[0]) // CELL_PX, nx // CELL_PX), np.float32)
        with self._against_mean(index) as against:
            for start in range(rows[0], rows[1], STRIP):
                # The photon noise of an excess falls with the response.
                excess, mean = against((start, min(start + STRIP, rows[1])))
                part = _in_cells(excess * np.sqrt(mean))
                first = (start - rows[0]) // CELL_PX
                cells[first : first + len(part)] = part
        above = _standing_out(cells)
        core = above > STAR_SIGMA
        if not core.any():
            return np.zeros(0, dtype=int)
        whole = binary_propagation(core, mask=above > WING_SIGMA)
        whole = binary_dilation(whole, iterations=GROW)
        return np.flatnonzero(_of_pixels(whole, (rows[1] - rows[0], nx))) + rows[0] * nx

    @contextmanager
    def _against_mean(self, index: int) -> Iterator[AgainstMean]:
        """Open a flat to compare rows of it with the mean flat.

        What it yields gives their excess, relative, and the mean; both 0 where there is none.
        """
        path, level = self.combined.paths[index], float(self.combined.levels[index])
        with (
            tempfile.TemporaryDirectory(prefix="lightcurve-") as spill,
            rows_of(open_rows(path, Path(spill))) as read,
        ):

            def against(rows: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
                mean = self.combined.image[slice(*rows)]
                with np.errstate(divide="ignore", invalid="ignore"):
                    excess = prepared(read, index, self.terms, rows) / level / mean - 1
                good = np.isfinite(excess) & (mean > LEAST_RESPONSE)
                return np.where(good, excess, 0), np.where(good, mean, 0)

            yield against

    def tilt(self) -> float:
        """Largest gradient of a flat against the mean of all, from edge to edge, relative.

        By bands of rows, each in eight parts: the response of no camera changes so.
        """
        ny, nx = self.combined.image.shape
        starts = np.linspace(0, ny - 1, BANDS + 2).astype(int)[1:-1]
        columns = np.array_split(np.arange(nx), 8)
        x = np.array([part.mean() / nx - 0.5 for part in columns])
        place = np.array([(1.0, u, (row + 0.5) / ny - 0.5) for row in starts for u in x])
        tilts = []
        for index in range(len(self.combined.paths)):
            with self._against_mean(index) as against:
                lines = [against((row, min(row + 2, ny)))[0] for row in starts]
            ratio = [np.median(line[:, part]) for line in lines for part in columns]
            _, over_x, over_y = np.linalg.lstsq(place, np.array(ratio), rcond=None)[0]
            tilts.append(float(np.hypot(over_x, over_y)))
        return max(tilts)


def _in_cells(image: np.ndarray) -> np.ndarray:
    """Average squares of pixels; rows and columns left over are left out."""
    ny, nx = (length // CELL_PX * CELL_PX for length in image.shape)
    lines = reduce(np.add, [image[k:ny:CELL_PX, :nx] for k in range(CELL_PX)])
    return reduce(np.add, [lines[:, k::CELL_PX] for k in range(CELL_PX)]) / CELL_PX**2


def _of_pixels(cells: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Give every pixel of an image of this shape the value of its cell, or of the one beside it."""
    wide = cells.repeat(CELL_PX, axis=0).repeat(CELL_PX, axis=1)
    over = [(0, length - there) for length, there in zip(shape, wide.shape, strict=True)]
    return np.pad(wide, over, mode="edge")


def _standing_out(cells: np.ndarray) -> np.ndarray:
    """How far smoothed cells stand out of those around them, in their scatter; 0 is no value."""
    from scipy.ndimage import gaussian_filter, uniform_filter

    smooth = gaussian_filter(cells, SMOOTH)
    smooth -= uniform_filter(cells, AROUND)
    thin = (slice(None, None, max(math.isqrt(smooth.size // SCATTER_SAMPLES), 1)),) * 2
    some = smooth[thin][cells[thin] != 0]
    scatter = robust_scatter(some) if some.size else 0.0
    return smooth / np.float32(scatter) if scatter > 0 else np.zeros_like(smooth)


def _judge(sky: _Sky, stacker: Stacker) -> None:
    """Say how the flats were exposed, and what of the sky or of noise is in their mean."""
    combined = sky.combined
    low, high = combined.levels.min(), combined.levels.max()
    stacker.note(f"levels {low:.0f} to {high:.0f} ADU", FrameKind.FLAT)
    tilt = sky.tilt()
    if tilt > TILTED:
        text = (
            f"frames differ by gradients of up to {tilt:.1%} from edge to edge: that is light of "
            "the sky or lamp, and some of it is in the master"
        )
        stacker.note(text, FrameKind.FLAT, Severity.WARNING)
    noise, response = noise_and_response(combined)
    if noise > max(NOISY, response):
        text = (
            f"a pixel of the master has {noise:.2%} of noise, pixels differ by {response:.2%}: "
            "take more of them or expose longer"
        )
        stacker.note(text, FrameKind.FLAT, Severity.WARNING)
    bright, dark = _spots(combined.image)
    # Dust and grain of a sensor are as often darker; chance differs by the root of their number.
    if bright - dark > MANY_SIGMA * np.sqrt(bright + dark + 1):
        text = (
            f"{bright} spots of the master are bright and {dark} dark: stars that stand in all "
            "frames? Move the telescope between flats of the sky"
        )
        stacker.note(text, FrameKind.FLAT, Severity.WARNING)


def noise_and_response(combined: Combined) -> tuple[float, float]:
    """Noise of a pixel of a master flat, and how much pixels truly differ, both relative.

    By some of its rows, evenly spread: an odd step goes through both of a colour mosaic.
    """
    rows = slice(None, None, combined.image.size // SCATTER_SAMPLES | 1)
    image, std, n_used = combined.image[rows], combined.std[rows], combined.n_used[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = std**2 / n_used / image**2
        # Its mean, for that of few frames is seldom as large as it is on average; no wild pixels.
        own = float(np.sqrt(np.nanmean(variance[variance <= WILD * np.nanmedian(variance)])))
    apart = (image[:, 2:] - image[:, :-2]) / np.sqrt(2)  # of one colour
    scatter = robust_scatter(apart[np.isfinite(apart)]) / float(np.nanmedian(image))
    return own, float(np.sqrt(max(scatter**2 - own**2, 0.0)))


def _spots(image: np.ndarray) -> tuple[int, int]:
    """Count the spots of a master, as wide as stars, that are brighter, and that are darker."""
    from scipy.ndimage import label

    edge = AROUND // 2  # whose surroundings are not all there
    above = _standing_out(_cells_without_single(image))[edge:-edge, edge:-edge]
    bright, dark = (label(side > STAR_SIGMA)[1] for side in (above, -above))
    return bright, dark


def _cells_without_single(image: np.ndarray) -> np.ndarray:
    """Average cells of a master less 1, single pixels left out; 0 where it has no response."""
    ny, nx = image.shape
    cells = np.empty((ny // CELL_PX, nx // CELL_PX), np.float32)
    for start in range(0, len(cells) * CELL_PX, STRIP):
        stop = min(start + STRIP, len(cells) * CELL_PX)
        above = max(start - 1, 0)  # a row more on either side, for the medians
        rows = image[above : stop + 1]
        whole = np.isfinite(rows) & (rows > LEAST_RESPONSE)
        even = _without_single(np.where(whole, rows, np.float32(1)) - np.float32(1))
        cells[start // CELL_PX : stop // CELL_PX] = _in_cells(even[start - above : stop - above])
    return cells


def _without_single(image: np.ndarray) -> np.ndarray:
    """Take the median of each three pixels of a row, then of a column: no single one, maybe warm.

    The rim stays as it is.
    """
    even = image.copy()
    even[:, 1:-1] = _middle_of(image[:, :-2], image[:, 1:-1], image[:, 2:])
    even[1:-1] = _middle_of(even[:-2], even[1:-1], even[2:])
    return even


def _middle_of(one: np.ndarray, two: np.ndarray, three: np.ndarray) -> np.ndarray:
    return np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three))


def _flat_terms(
    groups: dict[FrameKind, Group],
    stacker: Stacker,
    bias: np.ndarray | None,
    dark: np.ndarray | None,
    *,
    dark_seconds: float | None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """List what to take off each flat: the dark flat of its exposure, else bias and scaled dark."""
    flats = groups[FrameKind.FLAT]
    if not flats:
        if groups[FrameKind.DARK_FLAT]:
            stacker.note(
                f"{len(groups[FrameKind.DARK_FLAT])} frames left out: no flats", FrameKind.DARK_FLAT
            )
        return []
    terms: list[tuple[np.ndarray, np.ndarray]] = []
    rest = np.array([Step.DARK not in exposure.done for _, exposure in flats], dtype=float)
    held = np.array([Step.BIAS not in exposure.done for _, exposure in flats], dtype=float)
    seconds = [exposure.exposure_s for _, exposure in flats]
    for own, members in by_exposure(_dark_flats(groups, bias)).items():
        matched = np.array([same_exposure(own, t) for t in seconds], dtype=float)
        if matched.any():
            mean = stacker.mean(FrameKind.DARK_FLAT, members)
            if mean is not None:
                terms.append((mean, matched * rest))
            rest[matched > 0] = 0
            held[matched > 0] = 0
        else:
            text = f"{len(members)} frames left out: no flat has their exposure"
            stacker.note(text, FrameKind.DARK_FLAT)
    if not rest.any():
        return terms
    if bias is None and held.any():
        text = "neither bias nor dark flats, the pedestal stays in the flat"
        stacker.note(text, FrameKind.FLAT, Severity.WARNING)
        return terms
    if bias is not None:
        terms.append((bias, held))
    if dark is not None and dark_seconds and None not in seconds:
        terms.append((dark, rest * np.array(seconds) / dark_seconds))
    return terms


def _dark_flats(groups: dict[FrameKind, Group], bias: np.ndarray | None) -> Group:
    """Dark flats, and without a bias also darks of the flats' exposure, as many call them."""
    if bias is not None:
        return groups[FrameKind.DARK_FLAT]
    seconds = [exposure.exposure_s for _, exposure in groups[FrameKind.FLAT]]
    darks = [
        (path, exposure)
        for path, exposure in groups[FrameKind.DARK]
        if Step.BIAS not in exposure.done
        and any(same_exposure(exposure.exposure_s, t) for t in seconds)
    ]
    return [*groups[FrameKind.DARK_FLAT], *darks]


def normalised(flat: np.ndarray, bad: np.ndarray | None) -> np.ndarray:
    """Flat with mean 1 over good pixels, NaN where it is not positive."""
    good = (flat > 0) & ((bad == 0) if bad is not None else True)
    if not good.any():
        msg = "flat: no pixel is good; are these flat fields?"
        raise CalibrationError(msg)
    mean = np.float32(np.mean(flat, where=good, dtype=float))
    return np.where(flat > 0, flat / mean, np.float32(np.nan))
