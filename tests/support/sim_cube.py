"""The measured fluxes of a night, without rendering a single pixel: fast truth by the thousand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.core.data import Measurements, StarPlan
from lightcurve.core.flags import Flag


@dataclass(frozen=True, slots=True)
class CubeTruth:
    """What the simulated night is made of.

    Attributes
    ----------
    n_stars : int
        With the target.
    cadence_s, exposure_s : float
    target_electrons : float
        In one exposure at airmass 1.
    extinction : float
        Magnitudes per airmass.
    sky_electrons : float
        Per pixel.
    fwhm_px : float
    red_noise : float
        Relative amplitude of a slow wander of the target alone.
    red_time_s : float
        Its correlation time.
    drift_px : float
        Over the night; the frame is 1000 px wide, stars that leave it are lost.
    flip : bool
        The field turns over in the middle of the night, with a step of 0.3 % in the target.
    cloud : bool
        Light is lost for a tenth of the night, most of it at the worst.
    start_jd : float
    """

    n_stars: int = 40
    cadence_s: float = 120.0
    exposure_s: float = 100.0
    target_electrons: float = 3e5
    extinction: float = 0.2
    sky_electrons: float = 50.0
    fwhm_px: float = 4.0
    red_noise: float = 0.0
    red_time_s: float = 1800.0
    drift_px: float = 0.0
    flip: bool = False
    cloud: bool = False
    start_jd: float = 2460000.6


RADII = (3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
ANNULUS = (14.0, 22.0)
WIDTH = 1000.0
READ_NOISE = 8.0


def simulate_cube(
    target_flux: np.ndarray, truth: CubeTruth, rng: np.random.Generator
) -> Measurements:
    """Simulate the (frame, star, radius) cube of a night.

    Parameters
    ----------
    target_flux : (n_frame,) float array
        Relative flux of the target at each frame: a transit, or ones. Its times are
        `cube_times`.
    truth : CubeTruth
    rng : numpy.random.Generator

    Returns
    -------
    Measurements
        Row 0 is the target, the others are comparison candidates. Errors are those of the CCD
        equation; the BJD equals the JD.

    Notes
    -----
    Stars are Gaussian; a wider seeing puts less light into a fixed aperture.
    """
    n, m = len(target_flux), truth.n_stars
    time = cube_times(n, truth)
    hours = (time - time.mean()) * 24
    airmass = 1 + 0.04 * (hours + 1.0) ** 2
    fwhm = truth.fwhm_px * np.exp(0.08 * _wander(time, 2400.0, rng) + 0.04 * rng.normal(size=n))
    turned = (np.arange(n) >= n // 2) if truth.flip else np.zeros(n, dtype=bool)
    transparency = 10 ** (-0.4 * truth.extinction * airmass) * _clouds(n, truth)
    bright = truth.target_electrons * np.append(1.0, 10 ** rng.uniform(-1.2, 0.5, m - 1))
    relative = np.ones((n, m))
    relative[:, 0] = target_flux * (1 + 0.003 * turned)
    relative[:, 0] *= 1 + truth.red_noise * _wander(time, truth.red_time_s, rng)
    electrons = bright * relative * transparency[:, None]
    x, y = _positions(n, m, truth, turned, rng)
    cube = _apertures(electrons, fwhm, truth, rng)
    out = (np.minimum(x, y) < 0) | (np.maximum(x, y) > WIDTH)
    flags = np.where(out[:, :, None], np.uint16(Flag.NOT_MEASURED), np.uint16(0))
    flags = np.broadcast_to(flags, cube["flux"].shape).astype(np.uint16)
    cube = {k: np.where(out[:, :, None], np.nan, v) for k, v in cube.items()}
    frames = {"time": time, "airmass": airmass, "fwhm": fwhm, "turned": turned}
    return _assemble(frames, (x, y), cube | {"flags": flags}, truth, bright)


def cube_times(n_frame: int, truth: CubeTruth) -> np.ndarray:
    """Work out the mid-exposure times of the simulated frames.

    Parameters
    ----------
    n_frame : int
    truth : CubeTruth

    Returns
    -------
    (n_frame,) float array
        Julian dates.
    """
    return truth.start_jd + np.arange(n_frame) * truth.cadence_s / 86400


def _wander(time: np.ndarray, scale_s: float, rng: np.random.Generator) -> np.ndarray:
    """Unit-variance noise with an exponential correlation."""
    step = np.exp(-np.diff(time) * 86400 / scale_s)
    values = rng.normal(size=len(time))
    for k in range(1, len(time)):
        values[k] = step[k - 1] * values[k - 1] + np.sqrt(1 - step[k - 1] ** 2) * values[k]
    return values


def _clouds(n: int, truth: CubeTruth) -> np.ndarray:
    if not truth.cloud:
        return np.ones(n)
    phase = (np.arange(n) / n - 0.85) / 0.04
    return 1 - 0.8 * np.exp(-0.5 * phase**2)


def _positions(
    n: int, m: int, truth: CubeTruth, turned: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Where each star falls in each frame; the target stays inside whatever happens."""
    margin = 30.0
    x0, y0 = rng.uniform(margin, WIDTH - margin, (2, m))
    x0[0] = y0[0] = WIDTH / 2
    drift = np.linspace(0, truth.drift_px, n)[:, None]
    x, y = x0 + drift, y0 + 0.3 * drift
    x = np.where(turned[:, None], WIDTH - x, x)
    y = np.where(turned[:, None], WIDTH - y, y)
    return x, y


def _apertures(
    electrons: np.ndarray, fwhm: np.ndarray, truth: CubeTruth, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Noisy sums in every aperture: noise is drawn ring by ring, as it falls on the pixels."""
    radii = np.array(RADII)
    area = np.pi * radii**2
    inside = 1 - np.exp(-4 * np.log(2) * (radii / fwhm[:, None]) ** 2)  # (frame, radius)
    per_pixel = truth.sky_electrons + READ_NOISE**2
    rings = np.diff(inside, axis=1, prepend=0)[:, None, :] * electrons[:, :, None]
    ring_area = np.diff(area, prepend=0)
    noise = rng.normal(size=rings.shape) * np.sqrt(rings + ring_area * per_pixel)
    n_sky = np.pi * (ANNULUS[1] ** 2 - ANNULUS[0] ** 2)
    sky_error = rng.normal(size=electrons.shape) * np.sqrt(per_pixel / n_sky)
    flux = np.cumsum(rings + noise, axis=2) + area * sky_error[:, :, None]
    source = inside[:, None, :] * electrons[:, :, None]
    error = np.sqrt(source + area * per_pixel * (1 + area / n_sky))
    peak = electrons / (1.133 * fwhm[:, None] ** 2) + truth.sky_electrons
    return {
        "flux": flux,
        "flux_err": error,
        "area": np.broadcast_to(area, flux.shape),
        "peak": np.repeat(peak[:, :, None], len(radii), axis=2),
    }


def _assemble(
    frames: dict[str, np.ndarray],
    position: tuple[np.ndarray, np.ndarray],
    cube: dict[str, np.ndarray],
    truth: CubeTruth,
    bright: np.ndarray,
) -> Measurements:
    x, y = position
    n, m = x.shape
    time, fwhm = frames["time"], frames["fwhm"]
    constant = {
        "star_sky": truth.sky_electrons,
        "star_sky_std": np.sqrt(truth.sky_electrons + READ_NOISE**2),
        "n_sky": np.pi * (ANNULUS[1] ** 2 - ANNULUS[0] ** 2),
        "roundness": 1.0,
        "angle_deg": 0.0,
    }
    width = np.repeat(fwhm[:, None] / 2.3548, m, axis=1)
    role = ["target"] + ["comparison"] * (m - 1)
    plan = StarPlan(
        star_id=np.array([("T" if k == 0 else "C") + str(k + 1) for k in range(m)]),
        role=np.array(role),
        reason=np.array(["simulated"] * m),
        ra_deg=100 + (x[0] - WIDTH / 2) / 3600,
        dec_deg=(y[0] - WIDTH / 2) / 3600,
        x_ref=x[0],
        y_ref=y[0],
        flux_ref=bright,
        peak_ref=bright / (1.133 * truth.fwhm_px**2),
    )
    return Measurements(
        file=np.array([f"simulated-{k:04d}.fits" for k in range(n)]),
        jd_utc=time,
        bjd_tdb=time,
        exposure_s=np.full(n, truth.exposure_s),
        airmass=frames["airmass"],
        fwhm_px=fwhm,
        sky=np.full(n, truth.sky_electrons),
        sky_rms=np.full(n, constant["star_sky_std"]),
        rotation_deg=np.where(frames["turned"], 180.0, 0.0),
        shift_x=x[:, 0] - x[0, 0],
        shift_y=y[:, 0] - y[0, 0],
        radii=np.array(RADII),
        annulus=ANNULUS,
        plan=plan,
        **cube,
        x=x,
        y=y,
        fwhm=2.3548 * width,
        x_width=width,
        y_width=width,
        **{name: np.full((n, m), value) for name, value in constant.items()},
    )
