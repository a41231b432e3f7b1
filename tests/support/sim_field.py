"""All stars of a season as they are measured, without a pixel: some of them vary."""

from __future__ import annotations

import numpy as np

from lightcurve.variables.field import Field

FLOOR = 0.002  # of a flux, that no light makes better


def simulate_field(
    rng: np.random.Generator,
    *,
    nights: int = 6,
    frames: int = 60,
    stars: int = 60,
    red: float = 0.001,
    minutes: float = 4.0,
    vary: dict[int, np.ndarray] | None = None,
) -> Field:
    """Make one: star 0 is the target, every other one a comparison star.

    red: relative, of a wander of each star of its own, an hour long. vary: relative flux, (n,), of
    columns, at the times of `field_times`.
    """
    time = field_times(nights, frames, minutes)
    night = np.repeat(np.arange(nights), frames)
    hours = ((time - 0.3) % 1 - 0.1) * 24
    airmass = 1.1 + 0.03 * hours**2
    cloud = 10 ** (-0.4 * (0.2 * airmass + 0.1 * rng.random(nights)[night]))
    electrons = 10 ** rng.uniform(3.6, 6.0, stars)
    relative = np.ones((len(time), stars))
    for column, flux in (vary or {}).items():
        relative[:, column] = flux
    for column in range(stars):
        relative[:, column] *= 1 + red * _wander(time, rng)
    true = electrons * relative * cloud[:, None]
    sigma = np.sqrt(true + 400.0)
    flux = true * (1 + FLOOR * rng.normal(size=true.shape)) + sigma * rng.normal(size=true.shape)
    return Field(
        time=2459000.0 + time, jd_utc=2459000.0 + time, airmass=airmass,
        fwhm=3 + 0.2 * rng.normal(size=len(time)), night=night,
        flags=np.zeros(len(time), np.uint16),
        labels=tuple(f"night {k}" for k in range(nights)), filter="V", flux=flux, error=sigma,
        good=flux > 0, name=np.array([f"S{k + 1}" for k in range(stars)]),
        ra_deg=20 + rng.uniform(0, 0.2, stars), dec_deg=30 + rng.uniform(0, 0.2, stars),
        x=rng.uniform(0, 1000, stars), y=rng.uniform(0, 1000, stars),
        comparison=np.arange(stars) > 0, check=np.zeros(stars, bool), scale_arcsec=1.0,
        annulus_px=15.0, baseline=None,
    )  # fmt: skip


def field_times(nights: int, frames: int, minutes: float = 4.0) -> np.ndarray:
    """Days from the first, (n,): one night in three."""
    return np.concatenate([0.3 + 3 * k + np.arange(frames) * minutes / 1440 for k in range(nights)])


def _wander(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit size with a memory of an hour, (n,)."""
    memory = np.exp(-np.diff(time, prepend=-9.0) * 24)
    made = np.empty(len(time))
    for k, (kept, new) in enumerate(zip(memory, rng.normal(size=len(time)), strict=True)):
        made[k] = kept * made[k - 1] + np.sqrt(1 - kept**2) * new if k else new
    return made
