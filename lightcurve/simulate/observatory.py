"""What a synthetic observatory is made of: camera with telescope, and the night over it."""

from __future__ import annotations

from dataclasses import dataclass

from lightcurve.data import Site
from lightcurve.errors import InputError

FLAGSTAFF = Site(latitude_deg=35.0, longitude_deg=-111.5, height_m=2100.0, name="Synthetic")


@dataclass(frozen=True, slots=True)
class SimCamera:
    """A camera on its telescope; `seed` fixes its sensor's pattern for good.

    Attributes
    ----------
    shape : tuple of int
        (ny, nx).
    scale_arcsec : float
        Per pixel.
    rotation_deg : float
        Position angle of the +y axis before a meridian flip, from north through east.
    mirrored : bool
        False: seen as on the sky.
    zero_point : float
        Magnitude of a star that gives 1 electron a second outside the atmosphere.
    full_scale_adu : int
        Highest number the converter gives; 65535 for 16 bits, 4095 for 12.
    bias_adu, bias_structure_adu : float
        Mean level; amplitude of its slope and rms of its columns.
    dark_e_s : float
        Mean dark current of a pixel that is not hot.
    hot_fraction, hot_e_s : float
        Share of hot pixels and the mean rate of these (exponentially distributed).
    vignetting : float
        Light lost in the corners.
    n_dust : int
        Shadows of dust grains, each a ring.
    dust_depth : float
        Light lost in the deepest of them.
    response_rms : float
        Of pixel against pixel.
    n_dead_columns : int
        Columns that hardly answer to light (1 %).
    """

    shape: tuple[int, int] = (400, 500)
    scale_arcsec: float = 1.2
    rotation_deg: float = 3.0
    mirrored: bool = False
    zero_point: float = 20.0
    gain_e_per_adu: float = 1.5
    read_noise_e: float = 8.0
    full_scale_adu: int = 65535
    bias_adu: float = 1000.0
    bias_structure_adu: float = 4.0
    dark_e_s: float = 0.05
    hot_fraction: float = 1e-3
    hot_e_s: float = 20.0
    vignetting: float = 0.12
    n_dust: int = 6
    dust_depth: float = 0.05
    response_rms: float = 0.005
    n_dead_columns: int = 0
    name: str = "SimCam"
    telescope: str = "Synthetic 0.3 m"
    temperature_c: float = -10.0
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Night:
    """When and through what the frames are taken.

    Attributes
    ----------
    start_jd_utc : float
        Shutter opening of the first frame.
    exposure_s, cadence_s : float
        `cadence_s` is from start to start.
    ra_deg, dec_deg : float
        Pointing: what stands in the middle of the first frame.
    fwhm_arcsec : float
        Mean seeing in the zenith.
    seeing_wander : float
        Relative rms of its slow change.
    moffat_beta : float or None
        Wing exponent of the profile; Gaussian when None.
    drift_px_per_hour : (x, y)
        Steady drift of the field over the sensor; it turns over with the flip.
    jitter_px : float
        Rms of each frame's own shift, on each axis.
    flip_at : float or None
        Share of the frames taken before the meridian flip; none when None.
    extinction : float
        Magnitudes per air mass.
    cloud_depth, cloud_at, cloud_width : float
        Light lost at the worst, and the cloud's middle and rms width as shares of the night.
    transparency_wander : float
        Relative amplitude of slow changes without cloud.
    sky_e_s : float
        Per pixel in the zenith.
    cosmic_rays_per_s : float
        Over the whole sensor.
    trail_frames : tuple of int
        Frames (0-based) crossed by a satellite.
    pointing_error_arcmin : float
        Error of the pointing that the mount writes into headers.
    wcs_error_px : float
        Error of the WCS, where one is written into headers.

    Raises
    ------
    InputError
        When there is no frame, or the exposure is not positive or longer than the cadence.
    """

    start_jd_utc: float = 2460586.62
    n_frames: int = 70
    exposure_s: float = 60.0
    cadence_s: float = 150.0
    ra_deg: float = 20.0
    dec_deg: float = 30.0
    site: Site = FLAGSTAFF
    filter: str = "V"
    fwhm_arcsec: float = 3.4
    seeing_wander: float = 0.1
    moffat_beta: float | None = 3.5
    drift_px_per_hour: tuple[float, float] = (6.0, -3.0)
    jitter_px: float = 0.7
    field_rotation_deg_per_hour: float = 0.05
    flip_at: float | None = None
    extinction: float = 0.18
    cloud_depth: float = 0.0
    cloud_at: float = 0.8
    cloud_width: float = 0.03
    transparency_wander: float = 0.01
    sky_e_s: float = 3.0
    cosmic_rays_per_s: float = 0.05
    trail_frames: tuple[int, ...] = ()
    pointing_error_arcmin: float = 2.0
    wcs_error_px: float = 0.3
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse a night that cannot be."""
        if self.n_frames < 1 or not 0 < self.exposure_s <= self.cadence_s:
            msg = (
                f"a night needs a frame or more ({self.n_frames}) and an exposure "
                f"({self.exposure_s:g} s) no longer than the cadence ({self.cadence_s:g} s)"
            )
            raise InputError(msg)
