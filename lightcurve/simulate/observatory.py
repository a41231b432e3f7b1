"""What a synthetic observatory is made of, and what sky and mount do to each frame of a night."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.constants import DAY_S, J2000_JD, YEAR_DAYS
from lightcurve.core.data import Site
from lightcurve.core.errors import InputError

__all__ = ["Night"]

FLAGSTAFF = Site(latitude_deg=35.0, longitude_deg=-111.5, height_m=2100.0, name="Synthetic")


@dataclass(frozen=True, slots=True)
class SimCamera:
    """A camera on its telescope; `seed` fixes its sensor's pattern for good.

    rotation_deg : position angle of the +y axis before a meridian flip, from north through
        east.
    zero_point : magnitude of a star that gives 1 electron a second outside the atmosphere.
    full_scale_adu : highest number the converter gives; 65535 for 16 bits, 4095 for 12.
    bias_adu, bias_structure_adu : mean level; amplitude of its slope and rms of its columns.
    hot_fraction, hot_e_s : share of hot pixels and the mean rate of these (exponentially
        distributed).
    """

    shape: tuple[int, int] = (400, 500)  # (ny, nx)
    scale_arcsec: float = 1.2  # per pixel
    rotation_deg: float = 3.0
    mirrored: bool = False  # False: seen as on the sky
    zero_point: float = 20.0
    gain_e_per_adu: float = 1.5
    read_noise_e: float = 8.0
    full_scale_adu: int = 65535
    bias_adu: float = 1000.0
    bias_structure_adu: float = 4.0
    dark_e_s: float = 0.05  # mean dark current of a pixel that is not hot
    hot_fraction: float = 1e-3
    hot_e_s: float = 20.0
    vignetting: float = 0.12  # light lost in the corners
    n_dust: int = 6  # shadows of dust grains, each a ring
    dust_depth: float = 0.05  # light lost in the deepest of them
    response_rms: float = 0.005  # of pixel against pixel
    n_dead_columns: int = 0  # columns that hardly answer to light (1 %)
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
    ring_px : float
        Outer radius of a star out of focus behind a central obstruction; in focus at 0.
    trail_px : float
        Way, along x, that stars move while the shutter is open.
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
    ring_px: float = 0.0
    trail_px: float = 0.0
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


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """One value for each frame.

    start_jd_utc, mid_jd_utc : (n,) float arrays.
    transparency : (n,) float array, share of the light above the atmosphere that arrives:
        extinction and clouds.
    shift_x, shift_y : (n,) float arrays, where the pointing's centre falls, less the middle of
        the frame, pixels.
    """

    start_jd_utc: np.ndarray
    mid_jd_utc: np.ndarray
    airmass: np.ndarray  # (n,) float array
    fwhm_px: np.ndarray  # (n,) float array
    transparency: np.ndarray
    shift_x: np.ndarray
    shift_y: np.ndarray
    rotation_deg: np.ndarray  # (n,) float array, position angle of the +y axis

    def __len__(self) -> int:
        """Count the frames."""
        return len(self.start_jd_utc)


def night_conditions(night: Night, camera: SimCamera, rng: np.random.Generator) -> Conditions:
    """Draw the course of a night.

    Notes
    -----
    Seeing grows with airmass^0.6 (Kolmogorov turbulence).
    """
    n = night.n_frames
    start = night.start_jd_utc + np.arange(n) * night.cadence_s / DAY_S
    mid = start + night.exposure_s / 2 / DAY_S
    share = np.arange(n) / max(n - 1, 1)
    hours = (start - start[0]) * 24
    air = airmass(mid, night.ra_deg, night.dec_deg, night.site)
    seeing = night.fwhm_arcsec * air**0.6 * np.exp(night.seeing_wander * wander(share, rng))
    cloud = 1 - night.cloud_depth * np.exp(
        -0.5 * ((share - night.cloud_at) / night.cloud_width) ** 2
    )
    haze = np.exp(-night.transparency_wander * np.abs(wander(share, rng)))
    flipped = np.zeros(n, bool) if night.flip_at is None else np.arange(n) >= night.flip_at * n
    # Drift belongs to the sky: after a flip the sensor sees it the other way round.
    turn = np.where(flipped, -1, 1)[:, None]
    jitter = night.jitter_px * rng.standard_normal((n, 2))
    shift = turn * (hours[:, None] * np.array(night.drift_px_per_hour) + jitter)
    rotation = camera.rotation_deg + night.field_rotation_deg_per_hour * hours + 180.0 * flipped
    return Conditions(
        start_jd_utc=start,
        mid_jd_utc=mid,
        airmass=air,
        fwhm_px=seeing / camera.scale_arcsec,
        transparency=10 ** (-0.4 * night.extinction * air) * cloud * haze,
        shift_x=shift[:, 0],
        shift_y=shift[:, 1],
        rotation_deg=rotation,
    )


def wander(share: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a slow, smooth change: a few waves of the night, the long ones strongest.

    share: (n,) float array, time, 0 to 1 over the night.
    Returns (n,) float array, rms about 1 over many draws.
    """
    wave = np.arange(1, 6)
    height = rng.standard_normal(wave.size) / wave
    phase = rng.uniform(0, 2 * np.pi, wave.size)
    norm = np.sqrt(0.5 * np.sum(1.0 / wave**2))
    return np.sin(2 * np.pi * np.outer(share, wave) + phase) @ height / norm


def sidereal_deg(jd_ut: np.ndarray | float, longitude_deg: float = 0.0) -> np.ndarray:
    """Work out the mean sidereal time, degrees, 0 to 360.

    jd_ut: float or (n,) float array, Julian date, UT1 (UTC will do: under 1 s).
    longitude_deg: positive to the east. Earth rotation angle and linear precession (IAU 2006).
    """
    days = np.asarray(jd_ut, dtype=float) - J2000_JD
    angle = 360 * (0.7790572732640 + 1.00273781191135448 * days)
    return (angle + 4612.156534 / 3600 * days / 36525 + longitude_deg) % 360


def airmass(jd_ut: np.ndarray, ra_deg: float, dec_deg: float, site: Site) -> np.ndarray:
    """Work out the airmass of a direction (Pickering 2002, DIO 12, 1, 20).

    jd_ut: (n,) float array; ra_deg, dec_deg: J2000, precessed to date to first order.
    Returns (n,) float array, NaN where the direction is below the horizon.
    """
    years = (np.asarray(jd_ut) - J2000_JD) / YEAR_DAYS
    lat, ra, dec = np.radians([site.latitude_deg, ra_deg, dec_deg])
    ra, dec = (
        ra + np.radians((46.12 + 20.04 * np.sin(ra) * np.tan(dec)) / 3600) * years,
        dec + np.radians(20.04 * np.cos(ra) / 3600) * years,
    )
    hour_angle = np.radians(sidereal_deg(jd_ut, site.longitude_deg)) - ra
    sin_alt = np.sin(lat) * np.sin(dec) + np.cos(lat) * np.cos(dec) * np.cos(hour_angle)
    up = np.where(sin_alt > 0, np.degrees(np.arcsin(sin_alt)), np.nan)
    return 1 / np.sin(np.radians(up + 244 / (165 + 47 * up**1.1)))
