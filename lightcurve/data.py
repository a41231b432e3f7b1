"""The values that flow through the program: frozen, plain, without I/O.

Conventions, everywhere: pixel coordinates are 0-based and the centre of the first pixel is
(0, 0); images are indexed ``[y, x]``; sky coordinates are ICRS degrees; counts are ADU; times are
Julian dates; a value that is not known is ``None`` (scalars) or NaN (arrays). Arrays are never
changed in place once they stand in one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

KINDS = ("light", "bias", "dark", "flat", "dark flat", "unknown")


@dataclass(frozen=True, slots=True)
class Site:
    """Where the telescope stands.

    Attributes
    ----------
    latitude_deg, longitude_deg : float
        Geodetic, longitude positive to the east.
    height_m : float
        Above the ellipsoid; the difference from sea level (under 100 m) moves no time by 1 us.
    name : str
    """

    latitude_deg: float
    longitude_deg: float
    height_m: float = 0.0
    name: str = ""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a header said of one exposure, normalised.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    start_jd_utc, mid_jd_utc : float or None
        Start and middle of the exposure.
    time_uncertainty_s : float
        How far the header's clocks leave the time open (rounding of the keyword used).
    exposure_s : float or None
    filter, camera, telescope, object_name : str or None
        `filter` in its normalised name (``"V"``, ``"Rc"``, ``"ip"``, ``"CV"`` ...).
    gain_e_per_adu, read_noise_e, saturation_adu : float or None
    site : Site or None
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
        ``"option --gain"``, ``"file name"``, ``"assumed"`` ...
    warnings : tuple of str
        What was odd but could be settled, one line each.
    """

    kind: str = "unknown"
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


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One image in memory.

    Attributes
    ----------
    pixels : (ny, nx) float32 array
        ADU.
    bad : (ny, nx) uint8 array
        Sum of `lightcurve.flags.PixelFlag` bits; 0 is good.
    exposure : Exposure
    header : astropy.io.fits.Header
    path : Path
    history : tuple of str
        What was done to the pixels, in order.
    """

    pixels: np.ndarray
    bad: np.ndarray
    exposure: Exposure
    header: Header
    path: Path
    history: tuple[str, ...] = ()


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
    dark_includes_bias : bool
    flat : (ny, nx) float32 array or None
        Relative response, mean 1 over good pixels.
    bad : (ny, nx) uint8 array or None
        `PixelFlag` bits.
    gain_e_per_adu, read_noise_e : float or None
        Measured from pairs of flats and of biases, where there were such.
    notes : tuple of str
        Where each came from, and each mismatch that was let through.
    inputs : mapping of str to tuple of str
        Names of the files combined into ``"bias"``, ``"dark"``, ``"flat"`` ...
    """

    bias: np.ndarray | None = None
    dark: np.ndarray | None = None
    dark_exposure_s: float | None = None
    dark_includes_bias: bool = False
    flat: np.ndarray | None = None
    bad: np.ndarray | None = None
    gain_e_per_adu: float | None = None
    read_noise_e: float | None = None
    notes: tuple[str, ...] = ()
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


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
    """

    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    peak: np.ndarray
    fwhm: np.ndarray
    sky: float
    sky_rms: float

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
    mirrored : bool
    false_match_probability : float
        Chance that so many matches arise from unrelated star fields.
    """

    matrix: np.ndarray
    n_matched: int
    rms_px: float
    rotation_deg: float
    scale: float
    mirrored: bool
    false_match_probability: float


@dataclass(frozen=True, slots=True, eq=False)
class StarPlan:
    """Which stars are measured and what each is for.

    Attributes
    ----------
    star_id : (n,) str array
        ``"T1"``, ``"C2"``, ``"C3"`` ... in AstroImageJ's manner; other field stars ``"S7"`` ...
    role : (n,) str array
        ``"target"``, ``"comparison"``, ``"check"`` or ``"field"``.
    reason : (n,) str array
        Why it has that role.
    ra_deg, dec_deg : (n,) float arrays
    x_ref, y_ref : (n,) float arrays
        Pixels in the reference frame.
    flux_ref, peak_ref : (n,) float arrays
        ADU in the reference frame.
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

    def __len__(self) -> int:
        """Count the stars."""
        return len(self.star_id)


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
        `lightcurve.flags.Flag` bits.
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
    status : str
        ``"measured"`` or ``"failed"``.
    reason : str
        Why it failed, or what was odd; empty when all is well.
    exposure : Exposure or None
        None when the file could not be read.
    registration : Registration or None
    n_detected : int
    sky, sky_rms, fwhm_px : float
        Of the whole frame: background level and noise, median FWHM of its stars.
    photometry : StarPhotometry or None
    """

    file: str
    status: str
    reason: str = ""
    exposure: Exposure | None = None
    registration: Registration | None = None
    n_detected: int = 0
    sky: float = float("nan")
    sky_rms: float = float("nan")
    fwhm_px: float = float("nan")
    photometry: StarPhotometry | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """The night: every star, every radius, every measured frame, in order of time.

    Attributes
    ----------
    file : (n_frame,) str array
    jd_utc : (n_frame,) float array
        Mid-exposure.
    exposure_s, airmass, fwhm_px, sky, sky_rms, rotation_deg, shift_x, shift_y : (n_frame,) arrays
        The shift is that of the target against the reference frame, pixels.
    bjd_tdb : (n_frame,) float array
        At the target; NaN without a site-independent direction.
    radii : (n_radius,) float array
        Pixels.
    annulus : tuple of float
        Inner and outer radius, pixels.
    plan : StarPlan
    flux, flux_err, area, peak : (n_frame, n_star, n_radius) arrays
    flags : (n_frame, n_star, n_radius) uint16 array
    x, y, star_sky, star_sky_std, n_sky, fwhm, x_width, y_width, angle_deg, roundness :
        (n_frame, n_star) arrays
    radius_used : (n_frame,) float array or None
        Where one aperture follows the seeing in AstroImageJ's way: its radius, pixels; `radii`
        then holds the base radius alone.
    fwhm_factor : float or None
        Of that aperture, over the mean width of the stars.
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


@dataclass(frozen=True, slots=True, eq=False)
class LightCurve:
    """Relative flux of the target, one point a frame.

    Attributes
    ----------
    file : (n,) str array
    jd_utc, bjd_tdb : (n,) float arrays
        Mid-exposure.
    flux, flux_err : (n,) float arrays
        Target over ensemble, median 1 out of transit; NaN where it could not be formed.
    target_flux, comparison_flux : (n,) float arrays
        ADU; the ensemble's is the weighted sum.
    flags : (n,) uint16 array
    covariates : mapping of str to (n,) float array
        ``"airmass"``, ``"x"``, ``"y"``, ``"fwhm"``, ``"sky"``, ``"comparison_flux"``, ``"time"``.
    recipe : mapping
        Radius, comparison stars and weights, scatter reached, and what was considered.
    """

    file: np.ndarray
    jd_utc: np.ndarray
    bjd_tdb: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    target_flux: np.ndarray
    comparison_flux: np.ndarray
    flags: np.ndarray
    covariates: Mapping[str, np.ndarray]
    recipe: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A fitted or derived number.

    Attributes
    ----------
    value, lower, upper : float
        Median and the 16 and 84 % points (or value minus and plus one sigma).
    unit : str
    """

    value: float
    lower: float
    upper: float
    unit: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class TransitFit:
    """A transit model fitted to a light curve.

    Attributes
    ----------
    parameters : mapping of str to Parameter
        ``mid_time_bjd_tdb``, ``rp_over_rs``, ``a_over_rs``, ``impact_parameter``,
        ``duration_days``, ``depth_percent`` ...
    model, trend, residuals : (n,) float arrays
        Transit alone, systematics alone, and what is left, on the light curve's points.
    used : (n,) bool array
        Points that took part.
    statistics : mapping of str to float
        ``chi2``, ``bic``, ``delta_bic_no_transit``, ``beta``, ``residual_scatter_percent`` ...
    covariates : tuple of str
        The detrending set chosen.
    verdict : str
    samples : (n_sample, n_parameter) float array or None
    sample_names : tuple of str
    notes : tuple of str
    """

    parameters: Mapping[str, Parameter]
    model: np.ndarray
    trend: np.ndarray
    residuals: np.ndarray
    used: np.ndarray
    statistics: Mapping[str, float]
    covariates: tuple[str, ...]
    verdict: str
    samples: np.ndarray | None = None
    sample_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planet:
    """What is known of a transiting planet; errors are one sigma, ``None`` when not given."""

    name: str
    ra_deg: float
    dec_deg: float
    period_days: float
    t0_bjd_tdb: float
    rp_over_rs: float
    a_over_rs: float
    inclination_deg: float
    eccentricity: float = 0.0
    omega_deg: float = 90.0
    teff_k: float | None = None
    logg: float | None = None
    feh: float | None = None
    errors: Mapping[str, float] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Products:
    """What a run left behind.

    Attributes
    ----------
    folder : Path
    paths : mapping of str to Path
        By name of the product.
    timings_s : mapping of str to float
        By stage.
    summary : mapping
        The numbers worth printing.
    """

    folder: Path
    paths: Mapping[str, Path]
    timings_s: Mapping[str, float]
    summary: Mapping[str, Any]
