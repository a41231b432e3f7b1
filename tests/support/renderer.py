"""Nights of raw frames in plain numpy: a second renderer, that shares nothing with `lightcurve`.

Its stars are sums of Gaussians (so are rings and trails), its noise is counted electron by
electron, its transits are integrated over the disc, and its sky, mount and sensor are its own.
Times are JD (UTC) as the shutter's clock has them; who compares with BJD converts them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

J2000 = 2451545.0
# Core, shoulder and wing of a star: widths in units of the core's, and their shares of the light.
SHARES, WIDTHS = np.array([0.72, 0.22, 0.06]), np.array([1.0, 1.7, 3.4])
FWHM_OF_CORE = 2.52  # of the sum, for a core of sigma 1
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(3)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A star beside the target."""

    distance_px: float
    angle_deg: float
    light: float  # of the target's


@dataclass(frozen=True, slots=True)
class NightSpec:
    """All that can be ordered of a night; rates are electrons a second above the atmosphere."""

    # When and where
    start_jd_utc: float = 2460310.36  # 1 January 2024, 20:38 UTC
    n_frames: int = 64
    exposure_s: float = 60.0
    cadence_s: float = 200.0
    gaps: tuple[tuple[float, float], ...] = ()  # shares of the night without frames
    latitude_deg: float = 38.0
    longitude_deg: float = 2.0
    height_m: float = 900.0
    hour_angle_start: float = -1.0  # of the target, hours
    dec_deg: float = 25.0
    # Telescope and camera
    shape: tuple[int, int] = (230, 280)  # (ny, nx)
    scale_arcsec: float = 1.3
    diameter_cm: float = 40.0
    gain: float = 1.3  # electrons per ADU
    read_e: float = 7.0
    bias_adu: float = 600.0
    bias_pattern_adu: float = 3.0  # rms of its columns
    dark_e_s: float = 0.03
    prnu: float = 0.006
    vignetting: float = 0.1  # light lost in the corners
    flat_error: float = 0.0  # of the flats, from one edge to the other
    warm_fraction: float = 0.0
    warm_e_s: float = 10.0  # mean of the warm, exponentially distributed
    dead_fraction: float = 0.0
    telegraph_fraction: float = 0.0
    telegraph_e_s: float = 10.0
    knee_adu: float = 62000.0  # above it the sensor answers less and less
    top_adu: float = 65535.0
    n_bias: int = 6
    n_dark: int = 6
    n_flat: int = 6
    cosmic_rays: float = 1.0  # a frame
    # Stars
    n_stars: int = 35  # beside the target
    target_e_s: float = 7000.0
    light_range: tuple[float, float] = (0.15, 1.2)  # of the target's
    colour_rms: float = 0.0  # of B - V
    target_colour: float = 0.0
    spacing_px: float = 22.0
    margin_px: float = 24.0
    neighbours: tuple[Neighbour, ...] = ()
    field_neighbours: float = 0.0  # share of the other stars with a faint one 4 to 9 px away
    pm_mas_yr: tuple[float, float] = (0.0, 0.0)  # of the target; times cos dec
    # Image
    fwhm_px: float = 3.0
    elongation: float = 1.04  # of sigma along x over that along y
    seeing_wander: float = 0.08
    ring_px: float = 0.0  # outer radius of a star out of focus; its hole has 0.45 of it
    ring_change: float = 0.0  # of the radius over the night
    trail_px: float = 0.0
    trail_angle_deg: float = 30.0
    # Sky
    sky_e_s: float = 4.0
    extinction: float = 0.16
    colour_extinction: float = 0.0  # magnitudes per airmass and B - V
    scintillation: float = 1.0  # times Young's
    common_scintillation: float = 0.3  # share of its variance that all stars have
    transparency_wander: float = 0.02
    clouds: tuple[tuple[float, float, float], ...] = ()  # depth, middle, width as shares
    # Mount
    drift_px_h: tuple[float, float] = (2.0, -1.2)
    jitter_px: float = 0.3
    rotation_deg: float = 1.2
    flip_at: float | None = None
    # Transit
    transit: bool = True
    rp: float = 0.13
    a_over_rs: float = 9.5
    impact: float = 0.25
    limb: tuple[float, float] = (0.42, 0.22)
    period_days: float = 2.2
    mid_at: float = 0.5  # share of the night
    late_hours: float = 0.0  # of the true transit against the ephemeris
    t0_err_days: float = 0.002
    # Headers
    wcs: bool = True
    wcs_error_px: float = 0.2
    camera_cards: bool = True  # gain and read noise
    saturation_card: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What went into a night; arrays of n light frames and m stars, the target first."""

    spec: NightSpec
    lights: list[Path]
    mid_jd_utc: np.ndarray  # (n,) of the exposures
    transit_jd_utc: float  # mid-transit, as seen from the Earth
    duration_days: float  # first to fourth contact; 0 where there is no transit
    flux: np.ndarray  # (n,) of the target, relative
    ra_deg: np.ndarray  # (m,) at the night's epoch
    dec_deg: np.ndarray
    x: np.ndarray  # (n, m) pixels
    y: np.ndarray
    electrons: np.ndarray  # (n, m) that arrive of each star, but for the transit
    airmass: np.ndarray  # (n,)
    limit: np.ndarray  # (n,) relative error of the target against all unspoilt stars, at best

    @property
    def in_transit(self) -> np.ndarray:
        """Tell the frames in which the planet takes light."""
        return self.flux < 1

    def planet_toml(self, mid_bjd_tdb: float) -> str:
        """Write a planet file whose ephemeris is late by what was ordered; epoch J2000."""
        s = self.spec
        years = (self.mid_jd_utc[0] - J2000) / 365.25
        ra, dec = self.ra_deg[0], self.dec_deg[0]
        dec0 = dec - s.pm_mas_yr[1] * years / 3.6e6
        ra0 = ra - s.pm_mas_yr[0] * years / 3.6e6 / math.cos(math.radians(dec))
        lines = [
            'name = "Second-1 b"',
            f"ra = {ra0:.8f}",
            f"dec = {dec0:.8f}",
            f"period_days = {s.period_days}",
            f"t0_bjd_tdb = {mid_bjd_tdb - s.late_hours / 24:.7f}",
            f"t0_bjd_tdb_err = {s.t0_err_days}",
            f"rp_over_rs = {s.rp}",
            f"a_over_rs = {s.a_over_rs}",
            f"a_over_rs_err = {0.03 * s.a_over_rs:.4f}",
            f"inclination_deg = {math.degrees(math.acos(s.impact / s.a_over_rs)):.5f}",
            "inclination_deg_err = 0.4",
            "[star]",
            "teff_k = 5900.0",
            "logg = 4.4",
            "feh = 0.0",
            f"pm_ra_mas_yr = {s.pm_mas_yr[0]}",
            f"pm_dec_mas_yr = {s.pm_mas_yr[1]}",
        ]
        return "\n".join(lines) + "\n"


# The planet


def disc_flux(z: np.ndarray, p: float, limb: tuple[float, float], n: int = 3000) -> np.ndarray:
    """Flux (n,) of a star with quadratic limb darkening behind a dark disc of radius p at z (n,).

    The star is cut into rings; of each the arc behind the planet is known.
    """
    # Even in the angle from the disc's middle: fine rings at the limb, where the light falls.
    angle = (np.arange(n) + 0.5) / n * (np.pi / 2)
    r, mu = np.sin(angle), np.cos(angle)
    weight = (1 - limb[0] * (1 - mu) - limb[1] * (1 - mu) ** 2) * r * mu  # dr = mu d angle
    z = np.maximum(np.abs(np.asarray(z, float)), 1e-9)[:, None]
    cosine = (r**2 + z**2 - p**2) / (2 * r * z)
    covered = np.arccos(np.clip(cosine, -1, 1)) / np.pi
    return 1 - covered @ weight / weight.sum()


def transit(spec: NightSpec, hours: np.ndarray, mid: float) -> np.ndarray:
    """Relative flux (n,) of the target, mean over each exposure; hours are their middles."""
    if not spec.transit:
        return np.ones(len(hours))
    within = (np.arange(7) - 3) / 7 * spec.exposure_s / 3600
    phase = 2 * np.pi * (hours[:, None] + within - mid) / 24 / spec.period_days
    z = np.hypot(spec.a_over_rs * np.sin(phase), spec.impact * np.cos(phase))
    z = np.where(np.cos(phase) > 0, z, 1e3)
    return disc_flux(z.ravel(), spec.rp, spec.limb).reshape(z.shape).mean(axis=1)


def duration_days(spec: NightSpec) -> float:
    """First to fourth contact of a circular orbit."""
    chord = (1 + spec.rp) ** 2 - spec.impact**2
    if not spec.transit or chord <= 0:
        return 0.0
    sine = math.sqrt(1 - (spec.impact / spec.a_over_rs) ** 2)
    return spec.period_days / math.pi * math.asin(math.sqrt(chord) / spec.a_over_rs / sine)


# Sky and mount


def sidereal_hours(jd: np.ndarray, longitude_deg: float) -> np.ndarray:
    return (18.697374558 + 24.06570982441908 * (np.asarray(jd) - J2000) + longitude_deg / 15) % 24


def air_mass(hour_angle: np.ndarray, dec_deg: float, latitude_deg: float) -> np.ndarray:
    """Of a plane atmosphere with Young and Irvine's (1967) bend."""
    lat, dec, angle = np.radians(latitude_deg), np.radians(dec_deg), np.radians(15 * hour_angle)
    secant = 1 / (np.sin(lat) * np.sin(dec) + np.cos(lat) * np.cos(dec) * np.cos(angle))
    return secant * (1 - 0.0012 * (secant**2 - 1))


def smooth_noise(share: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A slow wander (n,) of rms 1: a random walk of nine steps, joined by cosines."""
    knots = np.cumsum(rng.normal(size=9))
    knots = (knots - knots.mean()) / knots.std()
    where = share * 8
    k = np.minimum(where.astype(int), 7)
    step = (1 - np.cos(np.pi * (where - k))) / 2
    return knots[k] * (1 - step) + knots[k + 1] * step


def clouded(spec: NightSpec, share: np.ndarray) -> np.ndarray:
    clear = np.ones(len(share))
    for depth, middle, width in spec.clouds:
        clear *= 1 - depth / (1 + ((share - middle) / width) ** 4)
    return clear


@dataclass(frozen=True, slots=True, eq=False)
class Pointing:
    """How the sky lies on the sensor in each of n frames."""

    ra_deg: float
    dec_deg: float
    shift: np.ndarray  # (n, 2) x, y of the pointing less the frame's middle
    angle: np.ndarray  # (n,) radians

    def turn(self, k: int) -> np.ndarray:
        c, s = math.cos(self.angle[k]), math.sin(self.angle[k])
        return np.array([[c, -s], [s, c]])


def point(
    spec: NightSpec, hours: np.ndarray, share: np.ndarray, rng: np.random.Generator
) -> Pointing:
    flipped = np.zeros(len(hours), bool) if spec.flip_at is None else share >= spec.flip_at
    side = np.where(flipped, -1.0, 1.0)[:, None]
    shift = side * hours[:, None] * spec.drift_px_h + rng.normal(0, spec.jitter_px, (len(hours), 2))
    shift += flipped[:, None] * rng.uniform(-6, 6, 2)  # no mount comes back to the pixel
    angle = np.radians(spec.rotation_deg) + np.pi * flipped
    ra = (sidereal_hours(spec.start_jd_utc, spec.longitude_deg) - spec.hour_angle_start) * 15 % 360
    return Pointing(float(ra), spec.dec_deg, shift, angle)


def sky_of_plane(xi: np.ndarray, eta: np.ndarray, ra_deg: float, dec_deg: float):
    """RA, Dec of tangent-plane places, all in degrees."""
    xi, eta, dec0 = np.radians(xi), np.radians(eta), math.radians(dec_deg)
    below = math.cos(dec0) - eta * math.sin(dec0)
    ra = ra_deg + np.degrees(np.arctan2(xi, below))
    dec = np.arctan2(math.sin(dec0) + eta * math.cos(dec0), np.hypot(xi, below))
    return ra % 360, np.degrees(dec)


# Stars


def place_stars(
    spec: NightSpec, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places (m, 2) about the middle, light (m,), whether unspoilt (m,); the target first."""
    half = np.array(spec.shape[::-1]) / 2 - spec.margin_px
    at = [rng.uniform(-8, 8, 2)]
    for _ in range(20000):
        if len(at) > spec.n_stars:
            break
        new = rng.uniform(-half, half)
        if np.min(np.hypot(*(np.array(at) - new).T)) >= spec.spacing_px:
            at.append(new)
    low, high = np.log(spec.light_range)
    light = [1.0, *np.exp(rng.uniform(low, high, len(at) - 1))]
    clean = [True] * len(at)
    for k in range(1, len(light)):
        if rng.random() < spec.field_neighbours:
            clean[k] = False
            angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(4, 9)
            at.append(at[k] + away * np.array([np.cos(angle), np.sin(angle)]))
            light.append(light[k] * rng.uniform(0.05, 0.6))
            clean.append(False)
    for n in spec.neighbours:
        angle = np.radians(n.angle_deg)
        at.append(at[0] + n.distance_px * np.array([np.cos(angle), np.sin(angle)]))
        light.append(n.light)
        clean.append(False)
    return np.array(at), np.array(light), np.array(clean)


def star_profile(spec: NightSpec, fwhm: float, share: float) -> np.ndarray:
    """Gaussians (k, 5) of a star: dx, dy, sigma along x and y, share of the light."""
    core, parts = fwhm / FWHM_OF_CORE, SHARES.size
    along, across = core * spec.elongation**0.5, core / spec.elongation**0.5
    spots = np.zeros((1, 2))
    if spec.ring_px > 0:
        outer = spec.ring_px * (1 + spec.ring_change * (share - 0.5))
        radii = np.sqrt(np.linspace(0.336, 0.867, 3)) * outer
        spots = np.array(
            [(r * np.cos(a), r * np.sin(a)) for r in radii for a in np.arange(16) * np.pi / 8]
        )
        parts = 1  # the seeing's wings are nothing beside the ring
    if spec.trail_px > 0:
        steps = (np.arange(9) - 4) / 9 * spec.trail_px
        angle = np.radians(spec.trail_angle_deg)
        line = steps[:, None] * [np.cos(angle), np.sin(angle)]
        spots = (spots[:, None] + line).reshape(-1, 2)
    shares = SHARES[:parts] / SHARES[:parts].sum() / len(spots)
    return np.array(
        [
            (*at, w * along, w * across, s)
            for at in spots
            for w, s in zip(WIDTHS, shares, strict=False)
        ]
    )


def in_pixels(length: int, at: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Integrals (k, length) of Gaussians over pixels, by three nodes in each."""
    where = np.arange(length) + NODES[:, None] / 2
    t = (where - at[:, None, None]) / sigma[:, None, None]
    value = np.exp(-0.5 * t**2) / (np.sqrt(2 * np.pi) * sigma[:, None, None])
    return np.einsum("j,kjl->kl", NODE_WEIGHTS / 2, value)


def draw_stars(
    shape: tuple[int, int], x: np.ndarray, y: np.ndarray, light: np.ndarray, profile: np.ndarray
) -> np.ndarray:
    """Image of stars (m,): one product of matrices, since Gaussians part into x and y."""
    dx, dy, sx, sy, share = profile.T
    size = light.size
    columns = in_pixels(shape[1], (x[:, None] + dx).ravel(), np.tile(sx, size))
    rows = in_pixels(shape[0], (y[:, None] + dy).ravel(), np.tile(sy, size))
    return (rows * (light[:, None] * share).ravel()[:, None]).T @ columns


def enclosed(profile: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Shares of a star's light within radii."""
    half = int(np.ceil(radii.max())) + 2
    image = draw_stars(
        (2 * half + 1,) * 2, *(np.array([float(v)]) for v in (half, half, 1)), profile
    )
    y, x = np.indices(image.shape) - half
    part = np.clip(radii[:, None, None] - np.hypot(x, y) + 0.5, 0, 1)
    return (part * image).sum(axis=(1, 2))


def circles(spec: NightSpec) -> np.ndarray:
    """Radii (r,) of apertures from tight to wide, pixels."""
    reach = spec.ring_px + 0.5 * spec.trail_px
    return reach + spec.fwhm_px * np.linspace(0.6, 2.7, 15)


def best_errors(
    spec: NightSpec,
    share: np.ndarray,
    electrons: np.ndarray,
    good: np.ndarray,
    scintillation: np.ndarray,
) -> np.ndarray:
    """Least relative error (n,) that aperture photometry of the target has, at the best one radius.

    share: (n, r) of a star's light within `circles`; electrons: (n, m), the target first; good:
    (m,) stars to compare with; scintillation: (n,) of each star alone.
    """
    of_pixel = (spec.sky_e_s + spec.dark_e_s) * spec.exposure_s + spec.read_e**2 + spec.gain**2 / 12
    background = np.pi * circles(spec) ** 2 * of_pixel
    light = electrons[:, :, None] * share[:, None]
    variance = (light + background) / light**2 + scintillation[:, None, None] ** 2
    others = 1 / np.sum(1 / variance[:, 1:][:, good[1:]], axis=1) if good[1:].any() else 0.0
    error = np.sqrt(variance[:, 0] + others)
    return error[:, np.argmin(np.median(error, axis=0))]


# Sensor


class Sensor:
    """A camera's pattern, and exposures on it."""

    def __init__(self, spec: NightSpec, rng: np.random.Generator) -> None:
        self.spec, self.rng = spec, rng
        ny, nx = spec.shape
        self.bias = (
            spec.bias_adu
            + rng.normal(0, spec.bias_pattern_adu, nx)
            + np.linspace(0, 6, ny)[:, None]
        )
        y, x = np.indices(spec.shape)
        across = (x - nx / 2) / nx
        r2 = (across**2 + ((y - ny / 2) / ny) ** 2) / 0.5
        self.response = (1 - spec.vignetting * r2) * (1 + rng.normal(0, spec.prnu, spec.shape))
        self.response[rng.random(spec.shape) < spec.dead_fraction] = 0.02
        self.told_response = self.response * (1 + spec.flat_error * across)
        warm = rng.random(spec.shape) < spec.warm_fraction
        self.dark = spec.dark_e_s + np.where(warm, rng.exponential(spec.warm_e_s, spec.shape), 0)
        self.telegraph = rng.random(spec.shape) < spec.telegraph_fraction

    def expose(self, electrons: np.ndarray | float, seconds: float) -> np.ndarray:
        """Numbers (uint16) read from the sensor where so many photoelectrons were set free."""
        s, rng = self.spec, self.rng
        current = self.dark + self.telegraph * s.telegraph_e_s * (rng.random(s.shape) < 0.5)
        free = rng.poisson(np.broadcast_to(electrons + current * seconds, s.shape)).astype(float)
        if seconds > 0:
            for _ in range(rng.poisson(s.cosmic_rays)):
                free[rng.integers(s.shape[0]), rng.integers(s.shape[1])] += rng.exponential(3000)
        adu = (free + rng.normal(0, s.read_e, s.shape)) / s.gain + self.bias
        over, room = adu - s.knee_adu, max(s.top_adu - s.knee_adu, 1.0)
        bent = s.knee_adu + room * (1 - np.exp(-np.maximum(over, 0) / room))
        return np.clip(np.rint(np.where(over > 0, bent, adu)), 0, 65535).astype(np.uint16)


def iso(jd: float) -> str:
    ms = round((jd - 2440587.5) * 86400000)
    return str(np.datetime64(ms, "ms"))


def sexagesimal(value: float) -> str:
    """Hours or degrees as ``12 34 56.78``."""
    hundredths = round(abs(value) * 360000)
    sign = "-" if value < 0 else ""
    whole, rest = divmod(hundredths, 360000)
    return f"{sign}{whole:02d} {rest // 6000:02d} {rest % 6000 / 100:05.2f}"


def write_frame(spec: NightSpec, path: Path, pixels: np.ndarray, cards: dict) -> Path:
    header = fits.Header()
    header["INSTRUME"], header["XBINNING"], header["YBINNING"] = "Second", 1, 1
    header["CCD-TEMP"] = -5.0
    header.update(cards)
    if spec.camera_cards:
        header["EGAIN"], header["RDNOISE"] = spec.gain, spec.read_e
    if spec.saturation_card:
        header["SATURATE"] = spec.knee_adu
    fits.PrimaryHDU(pixels, header).writeto(path)
    return path


def write_calibration(spec: NightSpec, folder: Path, sensor: Sensor, jd: float) -> None:
    """Biases, darks and flats of the afternoon."""
    flat = 22000 * spec.gain * sensor.told_response
    orders = [
        ("Bias Frame", spec.n_bias, 0.0, 0.0),
        ("Dark Frame", spec.n_dark, 0.0, spec.exposure_s),
    ]
    for word, n, light, seconds in [*orders, ("Flat Field", spec.n_flat, flat, 2.0)]:
        for k in range(n):
            cards = {"IMAGETYP": word, "EXPTIME": seconds, "DATE-OBS": iso(jd + k * 70 / 86400)}
            if word == "Flat Field":
                cards["FILTER"] = "V"
            name = f"{word.split()[0].lower()}_{k + 1:03d}.fits"
            write_frame(spec, folder / name, sensor.expose(light, seconds), cards)


def wcs_cards(spec: NightSpec, pointing: Pointing, k: int, rng: np.random.Generator) -> dict:
    middle = (np.array(spec.shape[::-1]) - 1) / 2 + pointing.shift[k] + 1
    middle += rng.normal(0, spec.wcs_error_px, 2)
    turn = pointing.turn(k).T * (spec.scale_arcsec / 3600)
    return {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": pointing.ra_deg,
        "CRVAL2": pointing.dec_deg, "CRPIX1": middle[0], "CRPIX2": middle[1],
        "CD1_1": -turn[0, 0], "CD1_2": -turn[0, 1], "CD2_1": turn[1, 0], "CD2_2": turn[1, 1],
    }  # fmt: skip


# The night


def render_night(spec: NightSpec, folder: Path, rng: np.random.Generator) -> Truth:
    """Write a night of raw frames into an empty folder, and tell all that went into it."""
    folder.mkdir(parents=True, exist_ok=True)
    share = np.arange(spec.n_frames) / max(spec.n_frames - 1, 1)
    kept = ~np.any(
        [(share >= low) & (share < high) for low, high in spec.gaps or ((2, 2),)], axis=0
    )
    share = share[kept]
    night_h = spec.n_frames * spec.cadence_s / 3600
    hours = np.flatnonzero(kept) * spec.cadence_s / 3600 + spec.exposure_s / 7200
    jd = spec.start_jd_utc + hours / 24
    pointing = point(spec, hours, share, rng)
    at, light, good = place_stars(spec, rng)
    plane = at @ pointing.turn(0) * [-1, 1] * spec.scale_arcsec / 3600  # turn(0) of the first frame
    ra, dec = sky_of_plane(plane[:, 0], plane[:, 1], pointing.ra_deg, pointing.dec_deg)
    middle = (np.array(spec.shape[::-1]) - 1) / 2
    on_sensor = [at @ (pointing.turn(k) @ pointing.turn(0).T).T for k in range(len(jd))]
    xy = np.array(on_sensor) + middle + pointing.shift[:, None]
    air = air_mass(spec.hour_angle_start + hours * 1.0027, spec.dec_deg, spec.latitude_deg)
    colour = rng.normal(0, spec.colour_rms, light.size)
    colour[0] = spec.target_colour
    through = clouded(spec, share) * np.exp(
        -spec.transparency_wander * np.abs(smooth_noise(share, rng))
    )
    dimming = (spec.extinction + spec.colour_extinction * colour) * air[:, None]
    electrons = (
        spec.exposure_s * spec.target_e_s * light * through[:, None] * 10 ** (-0.4 * dimming)
    )
    twinkle = (
        spec.scintillation * 0.09 * spec.diameter_cm ** (-2 / 3) * air**1.75
        / np.sqrt(2 * spec.exposure_s) * np.exp(-spec.height_m / 8000)
    )  # fmt: skip
    alone = twinkle * np.sqrt(1 - spec.common_scintillation)
    shared = twinkle * np.sqrt(spec.common_scintillation)
    factor = 1 + alone[:, None] * rng.normal(size=electrons.shape)
    factor += (shared * rng.normal(size=len(jd)))[:, None]
    mid_h = spec.mid_at * night_h
    flux = transit(spec, hours, mid_h)
    fwhm = spec.fwhm_px * air**0.6 * np.exp(spec.seeing_wander * smooth_noise(share, rng))
    profiles = [star_profile(spec, f, s) for f, s in zip(fwhm, share, strict=True)]
    shares = np.array([enclosed(p, circles(spec)) for p in profiles])

    sensor = Sensor(spec, rng)
    write_calibration(spec, folder, sensor, spec.start_jd_utc - 0.1)
    lights = []
    for k, moment in enumerate(jd):
        arriving = electrons[k] * factor[k]
        arriving[0] *= flux[k]
        sky = spec.sky_e_s * spec.exposure_s * air[k] ** 0.7
        scene = draw_stars(spec.shape, *xy[k].T, arriving, profiles[k]) + sky
        pixels = sensor.expose(scene * sensor.response, spec.exposure_s)
        cards = {
            "IMAGETYP": "Light Frame", "EXPTIME": spec.exposure_s, "FILTER": "V",
            "DATE-OBS": iso(moment - spec.exposure_s / 172800), "OBJECT": "Second-1",
            "OBJCTRA": sexagesimal(pointing.ra_deg / 15), "OBJCTDEC": sexagesimal(pointing.dec_deg),
            "SITELAT": spec.latitude_deg, "SITELONG": spec.longitude_deg,
            "SITEELEV": spec.height_m, "APTDIA": 10 * spec.diameter_cm,
        }  # fmt: skip
        if spec.wcs:
            cards |= wcs_cards(spec, pointing, k, rng)
        lights.append(write_frame(spec, folder / f"light_{k + 1:04d}.fits", pixels, cards))

    return Truth(
        spec=spec,
        lights=lights,
        mid_jd_utc=jd,
        transit_jd_utc=spec.start_jd_utc + mid_h / 24,
        duration_days=duration_days(spec),
        flux=flux,
        ra_deg=ra,
        dec_deg=dec,
        x=xy[:, :, 0],
        y=xy[:, :, 1],
        electrons=electrons,
        airmass=air,
        limit=best_errors(
            spec, shares, electrons, good & _unsaturated(spec, electrons, profiles), alone
        ),
    )


def _unsaturated(spec: NightSpec, electrons: np.ndarray, profiles: list[np.ndarray]) -> np.ndarray:
    """Tell the stars (m,) whose peaks stay below the knee in every frame."""
    size = int(2 * (spec.ring_px + spec.trail_px) + 9) | 1
    one, c = np.ones(1), np.array([size // 2.0])
    peak = np.array([draw_stars((size, size), c, c, one, p).max() for p in profiles])
    top = np.max(electrons * peak[:, None], axis=0) / spec.gain
    return top + spec.bias_adu + spec.sky_e_s * spec.exposure_s / spec.gain < spec.knee_adu
