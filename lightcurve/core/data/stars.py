"""Stars: found, placed on the sky, and measured in frame after frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data.frames import Exposure, FrameStatus, Picture, Site
from lightcurve.core.data.tabular import Tabular, laid_out

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.wcs import WCS

    from lightcurve.core.errors import Why


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Stars found in one frame, brightest first.

    Attributes
    ----------
    x, y : (n,) float arrays
        Pixels.
    flux : (n,) float array
        ADU above the sky; for ranking, not for science.
    peak : (n,) float array
        Highest raw pixel, ADU.
    fwhm : (n,) float array
        Pixels; a quick estimate.
    sky, sky_rms : float
        Median level and noise of the frame's background, ADU.
    grain : int
        Side of the squares of pixels in which the stars are a few pixels wide: 1 for sharp ones.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    peak: np.ndarray
    fwhm: np.ndarray
    sky: float
    sky_rms: float
    grain: int = 1

    def __len__(self) -> int:
        """Count the stars."""
        return len(self.x)


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A frame's place on the sky.

    Attributes
    ----------
    wcs : astropy.wcs.WCS
        Of this frame, 0-based by astropy's pixel methods.
    solver : str
        ``"header"``, ``"local"``, ``"solve-field"``, ``"nova"`` or ``"registration"``.
    n_matched : int
        Stars that agree with it.
    rms_arcsec : float
        Of those stars.
    scale_arcsec : float
        Arc seconds per pixel, the square root of the pixel's area.
    rotation_deg : float
        Position angle of the +y axis, from north through east.
    parity : int
        +1 where the sky is seen as in the sky (north up has east left), -1 mirrored.
    detail : str
        Index file, log odds, submission number: whatever tells how.
    residuals_arcsec : tuple of float, or None
        Rms of the matched stars in right ascension (on the sky) and in declination.
    off_px : float
        By how much the solver's WCS was off in the middle of the frame, before known stars put it
        right.
    """

    wcs: WCS
    solver: str
    n_matched: int
    rms_arcsec: float
    scale_arcsec: float
    rotation_deg: float
    parity: int
    detail: str = ""
    residuals_arcsec: tuple[float, float] | None = None
    off_px: float = 0.0


class FoundBy(StrEnum):
    """What told a frame's place, the strongest evidence first."""

    PATTERN = "pattern"  # of its stars
    SKY = "sky"  # solved by itself
    HEADER = "header"  # its own WCS, moved to its stars
    FEW_STARS = "few stars"  # and the mount: as the reference, or turned by 180 degrees
    ONE_STAR = "one star"  # and the guiding
    LIGHT = "light"  # of the frame as a whole, where the stars should be, and the mount


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """How a frame's pixels follow from the reference frame's.

    Attributes
    ----------
    matrix : (2, 3) float array
        ``[x, y] = matrix @ [x_ref, y_ref, 1]``.
    n_matched : int
        Stars matched one to one.
    rms_px : float
        Residual of the matched stars, one axis.
    rotation_deg, scale : float
        Of the frame against the reference.
    false_match_probability : float
        Chance that so many matches arise from unrelated star fields; NaN where few stars match.
    found_by : FoundBy
        What it rests on.
    """

    matrix: np.ndarray
    n_matched: int
    rms_px: float
    rotation_deg: float
    scale: float
    mirrored: bool
    false_match_probability: float
    found_by: FoundBy = FoundBy.PATTERN


class StarRole(StrEnum):
    """What a star is for."""

    TARGET = "target"
    COMPARISON = "comparison"
    CHECK = "check"
    FIELD = "field"


@dataclass(frozen=True, slots=True, eq=False)
class StarPlan(Tabular):
    """Which stars are measured and what each is for.

    Attributes
    ----------
    star_id : (n,) str array
        ``"T1"``, ``"C2"``, ``"C3"`` ... in AstroImageJ's manner; other field stars ``"S7"`` ...
    role : (n,) str array
        Words of `StarRole`.
    reason : (n,) str array
        Why it has that role.
    ra_deg, dec_deg : (n,) float arrays
    x_ref, y_ref : (n,) float arrays
        Pixels in the reference frame.
    flux_ref, peak_ref : (n,) float arrays
        ADU in the reference frame.
    target_detected : bool
        Otherwise it stands where its coordinates put it.
    crowding : (n,) float array or None
        Light of neighbours that comes and goes, over what bars a comparison star, or that in the
        sky over half of its own, whichever is more; not negative.
    """

    star_id: np.ndarray
    role: np.ndarray
    reason: np.ndarray
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    x_ref: np.ndarray
    y_ref: np.ndarray
    flux_ref: np.ndarray
    peak_ref: np.ndarray
    target_detected: bool = True
    crowding: np.ndarray | None = None

    def __len__(self) -> int:
        """Count the stars."""
        return len(self.star_id)

    def to_table(self) -> Table:
        """Lay the stars out, a row each: id, role, why, and where."""
        return laid_out("stars.csv", self.columns)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Its columns as stars.csv has them, (n,) each; the reason comes last."""
        places = ("ra_deg", "dec_deg", "x_ref", "y_ref", "flux_ref", "peak_ref")
        return {
            "star": self.star_id,
            "role": self.role,
            **{name: getattr(self, name) for name in places},
            "reason": self.reason,
        }

    @property
    def n_compared(self) -> int:
        """Count the rows from the target to the last star that is no field star."""
        return 1 + int(np.max(np.flatnonzero(self.role != StarRole.FIELD), initial=0))


@dataclass(frozen=True, slots=True, eq=False)
class StarPhotometry:
    """Every star of one frame at every radius: the kernel's answer.

    Attributes
    ----------
    x, y : (n_star,) float arrays
        Aperture centres, pixels.
    flux, flux_err, area, peak : (n_star, n_radius) float arrays
        ADU above the sky, its error by the CCD equation, the aperture's pixels, and the highest
        raw pixel touched. NaN where not measured.
    sky, sky_std, n_sky : (n_star,) float arrays
        Level per pixel, scatter and number of the annulus pixels kept.
    fwhm : (n_star,) float array
        From the radial profile, pixels; NaN where it has no half-maximum.
    x_width, y_width, angle_deg, roundness : (n_star,) float arrays
        Second-moment widths in AstroImageJ's scale.
    flags : (n_star, n_radius) uint16 array
        `lightcurve.core.flags.Flag` bits.
    radius_used : float or None
        Of an aperture that follows the seeing, pixels; None where the radii are the recipe's.
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    area: np.ndarray
    peak: np.ndarray
    sky: np.ndarray
    sky_std: np.ndarray
    n_sky: np.ndarray
    fwhm: np.ndarray
    x_width: np.ndarray
    y_width: np.ndarray
    angle_deg: np.ndarray
    roundness: np.ndarray
    flags: np.ndarray
    radius_used: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """All that one frame gave; it depends on that frame and the recipe alone.

    Attributes
    ----------
    file : str
        Name without folder.
    status : FrameStatus
        Measured or failed.
    reason : str
        Why it failed, or what was odd; empty when all is well.
    exposure : Exposure or None
        None when the file could not be read.
    sky, sky_rms, fwhm_px : float
        Of the whole frame: background level and noise, median FWHM of its stars.
    from_header : tuple of float
        Numbers of the header, one for each of `lightcurve.core.quantities.header_columns`.
    why : Why or None
        What kind of failure it was.
    field_picture, target_picture : Picture or None
        The whole frame, and the target with its sky: None where it was not measured, or by a
        version that made none.
    """

    file: str
    status: FrameStatus
    reason: str = ""
    exposure: Exposure | None = None
    registration: Registration | None = None
    n_detected: int = 0
    sky: float = float("nan")
    sky_rms: float = float("nan")
    fwhm_px: float = float("nan")
    photometry: StarPhotometry | None = None
    from_header: tuple[float, ...] = ()
    why: Why | None = None
    field_picture: Picture | None = None
    target_picture: Picture | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Measurements(Tabular):
    """The night: every star, every radius, every measured frame, in order of time.

    Attributes
    ----------
    file : (n_frame,) str array
    jd_utc : (n_frame,) float array
        Mid-exposure.
    exposure_s, airmass, fwhm_px, sky, sky_rms, rotation_deg, shift_x, shift_y : (n_frame,) arrays
        The shift is that of the target against the reference frame, pixels.
    bjd_tdb : (n_frame,) float array
        At the target and the site; for the Earth's centre without a site.
    radii : (n_radius,) float array
        Pixels.
    annulus : tuple of float
        Inner and outer radius, pixels.
    flux, flux_err, area, peak : (n_frame, n_star, n_radius) arrays
    flags : (n_frame, n_star, n_radius) uint16 array
    x, y, star_sky, star_sky_std, n_sky, fwhm, x_width, y_width, angle_deg, roundness :
        (n_frame, n_star) arrays
    radius_used : (n_frame,) float array or None
        Where one aperture follows the seeing in AstroImageJ's way: its radius, pixels; `radii`
        then holds the base radius alone.
    fwhm_factor : float or None
        Of that aperture, over the mean width of the stars.
    columns : mapping of str to (n_frame,) float array
        What else is known of each frame, by the column of lightcurve.csv.
    """

    file: np.ndarray
    jd_utc: np.ndarray
    bjd_tdb: np.ndarray
    exposure_s: np.ndarray
    airmass: np.ndarray
    fwhm_px: np.ndarray
    sky: np.ndarray
    sky_rms: np.ndarray
    rotation_deg: np.ndarray
    shift_x: np.ndarray
    shift_y: np.ndarray
    radii: np.ndarray
    annulus: tuple[float, float]
    plan: StarPlan
    flux: np.ndarray
    flux_err: np.ndarray
    area: np.ndarray
    peak: np.ndarray
    flags: np.ndarray
    x: np.ndarray
    y: np.ndarray
    star_sky: np.ndarray
    star_sky_std: np.ndarray
    n_sky: np.ndarray
    fwhm: np.ndarray
    x_width: np.ndarray
    y_width: np.ndarray
    angle_deg: np.ndarray
    roundness: np.ndarray
    radius_used: np.ndarray | None = None
    fwhm_factor: float | None = None
    site: Site | None = None
    telescope_diameter_m: float | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def long_columns(self) -> dict[str, np.ndarray]:
        """Lay the cube out as columns, a row a frame, star and radius, in this order.

        Stars that were not on a frame have no row for it.
        """
        f, s = np.nonzero(np.isfinite(self.flux).any(axis=2))
        n = len(self.radii)
        of_frame = {name: getattr(self, name)[f] for name in ("file", "jd_utc", "bjd_tdb")}
        places = {"x": self.x, "y": self.y, "sky": self.star_sky, "fwhm_px": self.fwhm}
        of_star = {"star": self.plan.star_id[s]} | {k: v[f, s] for k, v in places.items()}
        per_radius = ("flux", "flux_err", "peak", "flags")
        return (
            {name: np.repeat(values, n) for name, values in (of_frame | of_star).items()}
            | {"radius": np.tile(self.radii, len(f))}
            | {name: getattr(self, name)[f, s].ravel() for name in per_radius}
        )

    def to_table(self) -> Table:
        """Lay the cube out as one long table: a row a frame, star and radius."""
        return laid_out("photometry.csv", self.long_columns())
