"""What is measured of a colour mosaic: whether it is one, its plane, and its stars."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lightcurve.core.data import Assumed, Colour, Detections, Exposure, Frame, RawFrame
from lightcurve.core.errors import FrameError
from lightcurve.core.flags import PixelFlag
from lightcurve.core.settings import Settings
from lightcurve.frames.mosaic import FILTERS, GRID, SITES, Plane, find_plane, take_plane
from lightcurve.phot.detect import detect
from lightcurve.phot.mosaic import level_colours

__all__ = [
    "describe_colour",
    "find",
    "mark_clipped",
    "plane_of",
    "plane_shape",
    "settle_mosaic",
    "split",
]

log = logging.getLogger(__name__)
# Of levels: what all four differ by must stand out of the median's own noise, and of the level
# itself, before the pattern in it says anything.
MIN_SIGMA, MIN_SHARE = 20.0, 0.03
ALIKE = 0.1  # of the spread of all four: two pixels of one colour
UNLIKE = 0.6  # of it: the green from the mean of red and blue; one odd pixel of four is less
MIN_PIXELS = 100  # of each colour, for a level
SAMPLES = 500  # pixels of each colour along each axis, at most, whose median is taken
DIAGONALS = {(1, 2): "RGGB", (0, 3): "GRBG"}  # where the green pixels are; red or blue, who knows


def plane_of(exposure: Exposure, settings: Settings) -> Plane | None:
    """Find which plane of a raw frame is measured: None for a frame that is no mosaic."""
    return find_plane(exposure, settings.colour)


def plane_shape(raw: RawFrame, settings: Settings) -> tuple[int, int]:
    """Size (ny, nx) of what is measured of a raw frame."""
    plane = plane_of(raw.exposure, settings)
    return raw.pixels.shape if plane is None else plane.shape(raw.pixels.shape)


def describe_colour(exposure: Exposure, settings: Settings) -> tuple[Assumed, ...]:
    """Tell which plane of a mosaic is measured, or that one was wanted of a frame that is none."""
    wanted = settings.camera.colour
    if exposure.mosaic is None:
        # Images with colours on an axis have the filter of the one that was taken.
        if wanted in {None, Colour.MOSAIC} or exposure.filter == FILTERS[wanted]:
            return ()
        source = f"--colour {wanted} is not heeded: neither header nor sky shows one; give --mosaic"
        return (Assumed("colour", None, "", source, "no colour mosaic", guessed=True),)
    plane, source = plane_of(exposure, settings), exposure.sources["mosaic"]
    if plane is None:
        text = f"mosaic {exposure.mosaic} measured as it is: its colours are mixed"
        return (Assumed("colour", Colour.MOSAIC, "", source, text, guessed=True),)
    text = f"{plane.colour.words} of mosaic {exposure.mosaic}, {plane.n} of each 4 pixels"
    return (Assumed("colour", plane.colour, "", f"{source}; --colour", text),)


def mark_clipped(raw: RawFrame, level_adu: float | None) -> RawFrame:
    """Mark a mosaic's pixels at a level that was found later than the frame was read.

    In the mean of two pixels one that is clipped does not show.
    """
    if raw.exposure.mosaic is None or level_adu in {None, raw.exposure.saturation_adu}:
        return raw
    full = np.where(raw.pixels >= level_adu, np.uint8(PixelFlag.SATURATED), np.uint8(0))
    return replace(raw, bad=raw.bad | full)


def find(frame: Frame, *, saturation_adu: float | None, max_stars: int = 300) -> Detections:
    """Find the stars of a frame; those of a mosaic with the sky of each colour levelled.

    Raises
    ------
    InputError
        When the frame is too small for a star to be told from the sky.
    """
    pixels = frame.pixels
    if frame.exposure.mosaic is not None:
        pixels = level_colours(pixels, frame.bad)
    return detect(pixels, frame.bad, max_stars=max_stars, saturation_adu=saturation_adu)


def split(
    frame: Frame, settings: Settings, *, saturation_adu: float | None, max_stars: int = 300
) -> tuple[Frame, Detections]:
    """Take the plane that is measured out of a calibrated frame, and find the frame's stars.

    Of a mosaic they are found with the pixels of all colours, each levelled by its own sky; places
    and widths are those in the plane. A frame that is no mosaic is handed back as it is.

    Raises
    ------
    InputError
        When the frame is too small for a star to be told from the sky.
    """
    stars = find(frame, saturation_adu=saturation_adu, max_stars=max_stars)
    plane = plane_of(frame.exposure, settings)
    if plane is None:
        return frame, stars
    taken = take_plane(frame, plane)
    seen = detect(taken.pixels, taken.bad, max_stars=max_stars, saturation_adu=saturation_adu)
    return taken, _onto(plane, stars, seen)


def _onto(plane: Plane, stars: Detections, seen: Detections) -> Detections:
    """Bring stars found in a mosaic to places, scale and noise of a plane.

    seen: those found in the plane itself: its pixels, coarser and with gaps between, have a say in
    how wide stars are there.
    """
    x, y = plane.onto(stars.x, stars.y)
    fwhm = stars.fwhm / GRID
    wider = np.median(seen.fwhm) / np.median(fwhm) if len(seen) and len(stars) else 1.0
    return replace(
        stars,
        x=x,
        y=y,
        flux=stars.flux / GRID**2,
        fwhm=fwhm * wider,
        sky=seen.sky,
        sky_rms=seen.sky_rms,
    )


def settle_mosaic(
    frames: Sequence[RawFrame], settings: Settings
) -> tuple[list[RawFrame], Settings]:
    """Hold the pattern of a mosaic against its pixels, and find one that no header speaks of.

    Two pixels of each four see the same colour, and have the same sky.

    Returns
    -------
    frames, settings
        As they are; where the pixels show a mosaic without a word of the header, with the pattern
        in both. Of such a one only the green pixels are known for certain.

    Raises
    ------
    FrameError
        When the pixels of one colour are others than the header says.
    """
    first, known = frames[0], settings.camera.mosaic is not None
    seen = None if known else _pattern_seen(first.pixels)
    of_header = first.exposure.mosaic
    if seen is None or (of_header and _greens(of_header) == _greens(seen)):
        return list(frames), settings
    levels = ", ".join(f"{level:.0f}" for level in _levels(first.pixels)[0])
    if of_header:
        msg = (
            f"{first.exposure.sources['mosaic']} says {of_header}, but the sky of its first 2 x 2 "
            f"pixels ({levels} ADU) has its green elsewhere: give --mosaic {seen} or its like"
        )
        raise FrameError(first.path, msg)
    text = (
        "%s: no word of it in the header, but the sky of its pixels (%s ADU in each 2 x 2) is that "
        "of a colour mosaic: taken as %s, of which only the green is certain; --mosaic settles it"
    )
    log.warning(text, first.path.name, levels, seen)
    if settings.camera.colour in {Colour.RED, Colour.BLUE}:
        msg = f"--colour {settings.camera.colour}: its pixels are not known; give --mosaic RGGB ..."
        raise FrameError(first.path, msg)
    camera = settings.camera.model_copy(update={"mosaic": seen})
    told = {"mosaic": "the sky of its pixels"}
    return [
        replace(
            frame,
            exposure=replace(
                frame.exposure, mosaic=seen, sources={**frame.exposure.sources, **told}
            ),
        )
        for frame in frames
    ], settings.model_copy(update={"camera": camera})


def _greens(pattern: str) -> tuple[int, ...]:
    return tuple(k for k, letter in enumerate(pattern) if letter == "G")


def _levels(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """Median of each of the four kinds of pixels, ADU, and the noise of such a median.

    Not known, NaN, of an image with too few pixels.
    """
    step = 2 * max(1, max(pixels.shape) // (2 * SAMPLES))
    parts = [pixels[row::step, column::step] for row, column in SITES]
    parts = [part[np.isfinite(part)] for part in parts]
    if min(part.size for part in parts) < MIN_PIXELS:
        return np.full(len(SITES), np.nan), np.nan
    levels = np.array([float(np.median(part)) for part in parts])
    low, middle = np.percentile(parts[0], [15.865, 50])
    return levels, float(1.253 * (middle - low) / np.sqrt(parts[0].size))


def _pattern_seen(pixels: np.ndarray) -> str | None:
    """Find the diagonal of 2 x 2 pixels that sees one colour while the other sees two.

    None where the levels do not tell: too like, or no diagonal is like itself.
    """
    levels, noise = _levels(pixels)
    spread = float(np.ptp(levels))
    if not spread > max(MIN_SIGMA * noise, MIN_SHARE * abs(float(levels.mean()))):
        return None
    apart = {pair: abs(levels[pair[0]] - levels[pair[1]]) / spread for pair in DIAGONALS}
    like, unlike = sorted(apart, key=lambda pair: apart[pair])
    # Columns or rows of two amplifiers make both diagonals unlike.
    apart_from_it = abs(levels[list(like)].mean() - levels[list(unlike)].mean()) / spread
    if apart[like] > ALIKE or apart_from_it < UNLIKE:
        return None
    return DIAGONALS[like]
