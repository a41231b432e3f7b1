"""What the sky and the mount do to each frame of a night."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.constants import DAY_S, J2000_JD, YEAR_DAYS
from lightcurve.data import Site
from lightcurve.simulate.observatory import Night, SimCamera


@dataclass(frozen=True, slots=True, eq=False)
class Conditions:
    """One value for each frame.

    Attributes
    ----------
    start_jd_utc, mid_jd_utc : (n,) float arrays
    airmass : (n,) float array
    fwhm_px : (n,) float array
    transparency : (n,) float array
        Share of the light above the atmosphere that arrives: extinction and clouds.
    shift_x, shift_y : (n,) float arrays
        Where the pointing's centre falls, less the middle of the frame, pixels.
    rotation_deg : (n,) float array
        Position angle of the +y axis.
    """

    start_jd_utc: np.ndarray
    mid_jd_utc: np.ndarray
    airmass: np.ndarray
    fwhm_px: np.ndarray
    transparency: np.ndarray
    shift_x: np.ndarray
    shift_y: np.ndarray
    rotation_deg: np.ndarray

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
    """Work out the mean sidereal time.

    jd_ut : float or array; Julian date, UT1 (UTC will do: under 1 s).
    longitude_deg : positive to the east.
    Returns array: degrees, 0 to 360. Earth rotation angle and linear precession (IAU 2006).
    """
    days = np.asarray(jd_ut, dtype=float) - J2000_JD
    angle = 360 * (0.7790572732640 + 1.00273781191135448 * days)
    return (angle + 4612.156534 / 3600 * days / 36525 + longitude_deg) % 360


def airmass(jd_ut: np.ndarray, ra_deg: float, dec_deg: float, site: Site) -> np.ndarray:
    """Work out the airmass of a direction (Pickering 2002, DIO 12, 1, 20).

    jd_ut: (n,) float array; ra_deg, dec_deg: j2000; precessed to date to first order.
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
