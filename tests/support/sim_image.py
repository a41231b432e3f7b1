"""One frame rendered from a real star catalogue, with known truth, for the single-image tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.core.settings import Settings, make_settings
from lightcurve.phot.depth import Completeness
from lightcurve.simulate.render import expose, render_stars
from lightcurve.simulate.sky import frame_wcs


@dataclass(frozen=True)
class Observatory:
    """Camera, telescope and sky of a rendered frame; magnitudes of 1 e-/s; sky in e-/s/px."""

    shape: tuple[int, int] = (1240, 1240)
    scale: float = 1.0
    fwhm: float = 3.0
    beta: float | None = 3.5
    zero_point: float = 22.0
    exposure: float = 300.0
    sky: float = 5.0
    gain: float = 1.5
    read_noise: float = 8.0
    wcs_error_px: float = 2.0
    rotation: float = 20.0

    @property
    def zero_point_adu(self) -> float:
        """Magnitude of a star of 1 ADU a second, all its light counted."""
        return self.zero_point - 2.5 * np.log10(self.gain)


@dataclass(frozen=True)
class Rendered:
    """A frame on disk and its truth; fluxes in ADU."""

    path: Path
    x: np.ndarray
    y: np.ndarray
    flux: np.ndarray
    mag: np.ndarray
    ra: np.ndarray
    dec: np.ndarray
    site: Observatory

    def on_frame(self, margin: float) -> np.ndarray:
        """Stars at least so many pixels from the edges."""
        ny, nx = self.site.shape
        return (
            (self.x > margin)
            & (self.y > margin)
            & (self.x < nx - 1 - margin)
            & (self.y < ny - 1 - margin)
        )


def render_frame(
    path: Path,
    ra: np.ndarray,
    dec: np.ndarray,
    mag: np.ndarray,
    site: Observatory,
    *,
    center: tuple[float, float],
    seed: int = 1,
    filter_name: str = "r'",
    header_wcs: bool = True,
) -> Rendered:
    """Render stars, read them out, and write the frame as an acquisition program would."""
    from astropy.io import fits

    rng = np.random.default_rng(seed)
    ny, nx = site.shape
    middle = ((nx - 1) / 2, (ny - 1) / 2)
    wcs = frame_wcs(center, middle, site.scale, site.rotation)
    x, y = (np.asarray(v) for v in wcs.wcs_world2pix(ra, dec, 0))
    electrons = site.exposure * 10 ** (-0.4 * (mag - site.zero_point))
    light = render_stars(site.shape, x, y, electrons, site.fwhm, beta=site.beta)
    light += site.sky * site.exposure
    pixels = expose(light, 0.0, rng, gain=site.gain, read_noise=site.read_noise)
    off = np.radians(rng.uniform(0, 360))
    step = site.wcs_error_px * np.array([np.cos(off), np.sin(off)])
    header = fits.Header()
    if header_wcs:
        header = frame_wcs(center, tuple(middle + step), site.scale, site.rotation).to_header()
    header["DATE-OBS"] = "2015-07-02T09:00:00.000"
    header["EXPTIME"] = site.exposure
    header["IMAGETYP"] = "LIGHT"
    header["FILTER"] = filter_name
    header["GAIN"] = (site.gain, "e-/ADU")
    header["RDNOISE"] = site.read_noise
    header["SATURATE"] = 65535
    header["SITELAT"], header["SITELONG"], header["SITEELEV"] = 35.0, -111.5, 2100.0
    fits.PrimaryHDU(pixels, header).writeto(path, overwrite=True)
    return Rendered(path, x, y, electrons / site.gain, mag, ra, dec, site)


def ey_uma_frame(
    path: Path, catalog: Path, site: Observatory | None = None, *, seed: int = 1
) -> Rendered:
    """Render the field of EY UMa from ATLAS-refcat2: positions of J2015.5, Pan-STARRS r."""
    from astropy.table import Table

    table = Table.read(catalog)
    ra, dec, mag = (np.asarray(table[n], dtype=float) for n in ("RA_ICRS", "DE_ICRS", "rmag"))
    return render_frame(
        path, ra, dec, mag, site or Observatory(), center=(135.5509, 49.8429), seed=seed
    )


def enclosed_share(site: Observatory, radius: float) -> float:
    """Share of a star's light in a circle, averaged over where in its pixel it stands."""
    from photutils.aperture import CircularAperture, aperture_photometry

    rng = np.random.default_rng(0)
    shares = []
    for dx, dy in rng.uniform(-0.5, 0.5, (8, 2)):
        image = render_stars((81, 81), [40 + dx], [40 + dy], [1.0], site.fwhm, beta=site.beta)
        table = aperture_photometry(image, CircularAperture((40 + dx, 40 + dy), radius))
        shares.append(float(table["aperture_sum"][0]))
    return float(np.mean(shares))


def offline(
    *catalogs: Path, masters: Path | None = None, figures: str = "all", **image: object
) -> Settings:
    """Settings that ask no service, with catalogues given by hand."""
    return make_settings(
        {
            "catalogs": {"files": [str(c) for c in catalogs], "offline": True},
            "calibration": {"masters": [masters] if masters else []},
            "image": image,
            "figures": figures,
        }
    )


def magnitude_of_snr(completeness: Completeness, snr: float) -> float:
    """Magnitude at which stars put in have this median ratio of signal to noise.

    By a straight line through the logarithms of the stars within a magnitude of it.
    """
    known = np.isfinite(completeness.snr)
    order = np.argsort(completeness.mag[known])
    mag, ratio = completeness.mag[known][order], completeness.snr[known][order]
    groups = np.array_split(np.arange(len(mag)), len(mag) // max(len(mag) // 25, 5))
    middle = np.array([np.median(mag[g]) for g in groups])
    median = np.array([np.median(ratio[g]) for g in groups])
    near = (median > snr / 2.5) & (median < snr * 2.5)
    slope, zero = np.polyfit(np.log10(median[near]), middle[near], 1)
    return float(zero + slope * np.log10(snr))


def small_field(folder: Path, star_name: str = "star") -> tuple[Path, Path]:
    """Render a small frame of forty stars, and write their catalogue: both paths."""
    rng = np.random.default_rng(5)
    dec = 20.0 + rng.uniform(-100, 100, 40) / 3600
    ra = 100.0 + rng.uniform(-100, 100, 40) / 3600 / np.cos(np.radians(20.0))
    mag = rng.uniform(13.5, 17, 40)
    site = Observatory(shape=(240, 240))
    truth = render_frame(folder / "ey.fits", ra, dec, mag, site, center=(100.0, 20.0))
    lines = [f"{r:.8f},{d:.8f},{m:.4f},{star_name}" for r, d, m in zip(ra, dec, mag, strict=True)]
    stars = folder / "stars.csv"
    stars.write_text("\n".join(["ra,dec,rmag,Name", *lines]) + "\n")
    return truth.path, stars
