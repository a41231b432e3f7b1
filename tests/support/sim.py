"""Small simulated frames and nights with known truth, for every test that needs one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from lightcurve.simulate.night import Truth, simulate_night
from lightcurve.simulate.observatory import Night, SimCamera
from lightcurve.simulate.render import expose, render_stars
from lightcurve.simulate.sky import SimTarget, make_field


@dataclass(frozen=True)
class StarsImage:
    """A frame in ADU (float32) and the stars in it; fluxes in ADU."""

    pixels: np.ndarray
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    sky: float
    gain: float
    read_noise: float


def simulated_stars_image(
    rng: np.random.Generator,
    *,
    shape: tuple[int, int] = (200, 240),
    n_stars: int = 30,
    fwhm: float = 3.0,
    sky: float = 100.0,
    gain: float = 2.0,
    read_noise: float = 6.0,
    flux_range: tuple[float, float] = (2e3, 1e5),
    beta: float | None = None,
    margin: float = 15.0,
) -> StarsImage:
    """Render stars at random places with photon and read noise; no bias, dark or flat."""
    ny, nx = shape
    x = rng.uniform(margin, nx - 1 - margin, n_stars)
    y = rng.uniform(margin, ny - 1 - margin, n_stars)
    flux = np.exp(rng.uniform(*np.log(flux_range), n_stars))
    electrons = gain * (render_stars(shape, x, y, flux, fwhm, beta=beta) + sky)
    pixels = expose(electrons, 0.0, rng, gain=gain, read_noise=read_noise).astype(np.float32)
    return StarsImage(pixels, x, y, flux, sky, gain, read_noise)


def tiny_night(tmp_path: Path, **options: object) -> tuple[list[Path], Truth]:
    """Write a few small frames; fields of `Night` and `SimCamera` and options by name.

    ``target_flux``, ``n_stars``, ``mag_range`` and ``target_mag`` may be given too; what is left
    goes to `simulate_night`. Returns the light frames' paths and the truth.
    """
    night = Night(**{"n_frames": 4, "seed": 5} | _taken(options, Night))
    camera = SimCamera(**{"shape": (120, 160), "n_dust": 2} | _taken(options, SimCamera))
    options.pop("seed", None)
    flux = options.pop("target_flux", np.ones(night.n_frames))
    ny, nx = camera.shape
    scale = camera.scale_arcsec / 3600
    field = make_field(
        np.random.default_rng(night.seed),
        (night.ra_deg, night.dec_deg),
        (nx * scale, ny * scale),
        options.pop("n_stars", 20),
        mag_range=options.pop("mag_range", (10.0, 13.0)),
    )
    target = SimTarget("Tiny-1", night.ra_deg, night.dec_deg, options.pop("target_mag", 11.0))
    truth = simulate_night(tmp_path, night, camera, field, target, flux, **options)
    return list(truth.lights), truth


def _taken(options: dict[str, object], kind: type) -> dict[str, object]:
    """Take out the options that are fields of `kind`; `seed` is the night's and the camera's."""
    names = [f.name for f in fields(kind) if f.name in options]
    return {name: options[name] if name == "seed" else options.pop(name) for name in names}


def sidecar_wcs(path: Path) -> WCS:
    """Read a header-only FITS file as a WCS."""
    header = fits.getheader(path)
    header.remove("NAXIS")  # of the file itself; astropy would take it for the image's
    return WCS(header)
