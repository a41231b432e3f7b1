"""Frames and what belongs to them: exposures, sites, masters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data.verdicts import Note

if TYPE_CHECKING:
    from astropy.io.fits import Header


class FrameKind(StrEnum):
    """What a frame was taken for."""

    LIGHT = "light"
    BIAS = "bias"
    DARK = "dark"
    FLAT = "flat"
    DARK_FLAT = "dark flat"
    SPECTRUM = "spectrum"
    BAD = "bad"  # of its makers' own account, or no picture of the sky: focus, closed mask
    UNKNOWN = "unknown"
    OTHER = "other"  # no FITS image


CALIBRATION = (FrameKind.BIAS, FrameKind.DARK, FrameKind.FLAT, FrameKind.DARK_FLAT)


class FrameStatus(StrEnum):
    """What became of a frame, the column ``status`` of tables of frames."""

    OK = "ok"
    UNUSED = "unused"
    MEASURED = "measured"
    CALIBRATED = "calibrated"
    REDUCED = "reduced"
    SOLVED = "solved"
    NOT_SOLVED = "not solved"
    SKIPPED = "skipped"
    FAILED = "failed"


class Style(StrEnum):
    """In whose way stars are measured."""

    LIGHTCURVE = "lightcurve"
    AIJ = "aij"


class Step(StrEnum):
    """A step of calibration."""

    BIAS = "bias"
    DARK = "dark"
    FLAT = "flat"

    @property
    def letter(self) -> str:
        """In MaxIm DL's card CALSTAT."""
        return self.name[0]


class Colour(StrEnum):
    """What is measured of a colour mosaic."""

    RED = "R"
    GREEN = "G"
    BLUE = "B"
    GREY = "grey"  # all four pixels of each 2 x 2 together
    MOSAIC = "mosaic"  # the pixels as they are, whatever their colours

    @property
    def words(self) -> str:
        """Its name, for people."""
        return self.name.lower()


class Combine(StrEnum):
    """How the frames of a stack become one."""

    CLIPPED = "clipped"  # mean by the noise of the sky, without outliers
    MEAN = "mean"  # the same with all
    MEDIAN = "median"


class Figures(StrEnum):
    """Which figures are drawn; `plot` draws the others of a run from its files later."""

    ALL = "all"
    PAGE = "page"  # those that its page shows as pictures
    NONE = "none"


class Stamp(StrEnum):
    """The moment of an exposure that a clock of its header marks."""

    START = "start"
    MID = "mid"
    END = "end"

    @property
    def part(self) -> float:
        """How much of the exposure is over."""
        return {Stamp.START: 0.0, Stamp.MID: 0.5, Stamp.END: 1.0}[self]


class DateOrder(StrEnum):
    """What comes first in a date such as 03/04/2020."""

    DMY = "dmy"
    MDY = "mdy"


class Quality(StrEnum):
    """How far a source, or a frame of a sequence, is to be trusted: the columns ``quality``."""

    GOOD = "good"
    MARGINAL = "marginal"
    POOR = "poor"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Site:
    """Where the telescope stands.

    Attributes
    ----------
    latitude_deg, longitude_deg : float
        Geodetic, longitude positive to the east.
    height_m : float
        Above the ellipsoid; the difference from sea level (under 100 m) moves no time by 1 us.
    """

    latitude_deg: float
    longitude_deg: float
    height_m: float = 0.0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Overhead:
    """What one keyword of a header says of the sky over the telescope.

    Attributes
    ----------
    quantity : str
        ``"altitude"`` of the field, its ``"hour angle"``, or local ``"sidereal time"``.
    low_deg, high_deg : float
        As far as the digits of the card leave it open.
    """

    keyword: str
    quantity: str
    low_deg: float
    high_deg: float


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a header said of one exposure, normalised.

    Attributes
    ----------
    start_jd_utc, mid_jd_utc : float or None
        Start and middle of the exposure.
    time_uncertainty_s : float
        How far the header's clocks leave the time open (rounding of the keyword used).
    filter, camera, telescope, object_name : str or None
        `filter` in its normalised name (``"V"``, ``"Rc"``, ``"ip"``, ``"CV"`` ...).
    telescope_diameter_m : float or None
        Of the aperture.
    ra_deg, dec_deg : float or None
        Where the telescope was pointed; good to minutes of arc at best.
    scale_arcsec : float or None
        Arc seconds per pixel as the header has it (or as optics and pixel size give it).
    binning : tuple of int, or None
        (x, y).
    temperature_c : float or None
        Of the sensor.
    shape : tuple of int
        (ny, nx) of the image.
    sources : mapping of str to str
        For each field above that is set, where it came from: ``"header EXPTIME"``,
        ``"setting camera.gain_e_per_adu"``, ``"file name"``, ``"assumed"`` ...
    warnings : tuple of str
        What was odd but could be settled, one line each.
    guessed : tuple of str
        Fields above of which the header leaves the unit open.
    overhead : tuple of Overhead
        Altitude (also by the airmass), hour angle and sidereal time, where the header has them.
    mosaic : str or None
        Colours of the first 2 x 2 pixels of a colour mosaic, ``"GRBG"``: those of (row, column)
        00, 01, 10 and 11 in the order of the file.
    done : tuple of Step
        Steps of calibration that were done before: they are not done again.
    pedestal_adu : float
        Level that a program added to its calibrated pixels.
    gain_setting, offset_setting, readout_mode, serial : str or None
        Of the camera, as the header has them; numbers without needless digits.
    linearity_adu : float or None
        Up to which the camera is linear.
    linearity_terms : tuple of float, or None
        ``a0 + a1 v + a2 v^2 ...`` of its counts above the bias is linear.
    profile, standards : str or None
        Of the camera (`lightcurve.frames.cameras`), and the service that it names for the zero
        point.
    """

    kind: FrameKind = FrameKind.UNKNOWN
    start_jd_utc: float | None = None
    mid_jd_utc: float | None = None
    time_uncertainty_s: float = 0.0
    exposure_s: float | None = None
    filter: str | None = None
    camera: str | None = None
    telescope: str | None = None
    object_name: str | None = None
    gain_e_per_adu: float | None = None
    read_noise_e: float | None = None
    saturation_adu: float | None = None
    site: Site | None = None
    ra_deg: float | None = None
    dec_deg: float | None = None
    scale_arcsec: float | None = None
    binning: tuple[int, int] | None = None
    temperature_c: float | None = None
    shape: tuple[int, int] = (0, 0)
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    telescope_diameter_m: float | None = None
    guessed: tuple[str, ...] = ()
    overhead: tuple[Overhead, ...] = ()
    mosaic: str | None = None
    done: tuple[Step, ...] = ()
    pedestal_adu: float = 0.0
    linearity_adu: float | None = None
    linearity_terms: tuple[float, ...] | None = None
    profile: str | None = None
    standards: str | None = None
    gain_setting: str | None = None
    offset_setting: str | None = None
    readout_mode: str | None = None
    serial: str | None = None

    @property
    def places(self) -> tuple[tuple[float, float], ...]:
        """Where the telescope may have been pointed: RA and Dec, degrees; hours read as well."""
        if self.ra_deg is None or self.dec_deg is None:
            return ()
        factors = (1, 15) if "ra_deg" in self.guessed else (1,)
        return tuple((self.ra_deg * factor, self.dec_deg) for factor in factors)


@dataclass(frozen=True, slots=True, eq=False)
class HeaderText:
    """A header as text, of which astropy makes its own when that is first asked for.

    Few frames are asked: it takes longer than reading the pixels of a small one.
    """

    text: str  # cards of 80 characters, without END
    _made: list[Header] = field(default_factory=list, repr=False)

    def header(self) -> Header:
        """Give astropy's header, each time the same."""
        from astropy.io.fits import Header

        if not self._made:
            self._made.append(Header.fromstring(self.text))
        return self._made[0]


class Headed:
    """What has a header, as text or as astropy has it."""

    __slots__ = ()
    head: Header | HeaderText

    @property
    def header(self) -> Header:
        """The header as astropy has it."""
        return self.head.header() if isinstance(self.head, HeaderText) else self.head


@dataclass(frozen=True, slots=True, eq=False)
class RawFrame(Headed):
    """One image as it was read; `lightcurve.calib.reduce` makes a `Frame` of it.

    Attributes
    ----------
    pixels : (ny, nx) float32 array
        ADU; 16-bit integers, where they were asked for.
    bad : (ny, nx) uint8 array
        `lightcurve.core.flags.PixelFlag` bits of what has no value or is saturated.
    """

    pixels: np.ndarray
    bad: np.ndarray
    exposure: Exposure
    head: Header | HeaderText
    path: Path
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Frame(Headed):
    """One calibrated image: what stars are found on and measured on.

    Attributes
    ----------
    pixels : (ny, nx) float32 array
        ADU; NaN where there is no value.
    bad : (ny, nx) uint8 array
        Sum of `lightcurve.core.flags.PixelFlag` bits; 0 is good.
    history : tuple of str
        What was done to the pixels, in order.
    """

    pixels: np.ndarray
    bad: np.ndarray
    exposure: Exposure
    head: Header | HeaderText
    path: Path
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Part of a frame made small, of eight bits, to be looked at; nothing is measured on it.

    Attributes
    ----------
    pixels : (ny, nx) uint8 array
        Grey on an inverse hyperbolic sine of the height above the sky; 0 where there is no value.
    left, bottom : int
        Column and row of the frame at its first pixel.
    step : int
        Side of the square of the frame's pixels that one of its own is the mean of.
    sky, soft : float
        ADU: where the scale is zero, and the height up to which it is linear.
    low, high : float
        Of the scale, at grey 1 and 255.
    """

    pixels: np.ndarray
    left: int
    bottom: int
    step: int
    sky: float
    soft: float
    low: float
    high: float

    @property
    def adu(self) -> np.ndarray:
        """What it shows: (ny, nx) float32 array, as fine as its greys; NaN without a value."""
        scale = self.low + (self.high - self.low) * (np.arange(256, dtype=np.float32) - 1) / 254
        values = self.sky + self.soft * np.sinh(scale)
        values[0] = np.nan
        return values[self.pixels]

    def on_picture(self, x: float, y: float) -> tuple[float, float]:
        """Carry a place of the frame, pixels, over to the picture's own pixels."""
        half = (self.step - 1) / 2
        return (x - self.left - half) / self.step, (y - self.bottom - half) / self.step


@dataclass(frozen=True, slots=True, eq=False)
class Masters:
    """Master calibration frames of one setup; what is missing is ``None``.

    Attributes
    ----------
    bias : (ny, nx) float32 array or None
        ADU.
    dark : (ny, nx) float32 array or None
        ADU; without bias when `dark_includes_bias` is false.
    dark_exposure_s : float or None
        Exposure of the dark; it is scaled to the light's only when the bias is out of it. ``None``
        with a dark: it is subtracted as it is from any exposure.
    flat : (ny, nx) float32 array or None
        Relative response, mean 1 over good pixels.
    bad : (ny, nx) uint8 array or None
        `PixelFlag` bits.
    gain_e_per_adu, read_noise_e : float or None
        Measured from pairs of flats and of biases, where there were such.
    notes : tuple of Note
        Where each came from, and each mismatch that was let through.
    inputs : mapping of str to tuple of str
        Names of the files combined into ``"bias"``, ``"dark"``, ``"flat"`` ...
    of : mapping of str to Exposure
        What the frames combined have in common: camera, telescope, filter, settings; the median of
        their temperatures, the start of the first.
    """

    bias: np.ndarray | None = None
    dark: np.ndarray | None = None
    dark_exposure_s: float | None = None
    dark_includes_bias: bool = False
    flat: np.ndarray | None = None
    bad: np.ndarray | None = None
    gain_e_per_adu: float | None = None
    read_noise_e: float | None = None
    notes: tuple[Note, ...] = ()
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    of: Mapping[str, Exposure] = field(default_factory=dict)

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Masters:
        """Change bias, dark and flat in the same way; the map of bad pixels is left out."""
        bias, dark, flat = (
            None if image is None else change(image) for image in (self.bias, self.dark, self.flat)
        )
        return replace(self, bias=bias, dark=dark, flat=flat, bad=None)
