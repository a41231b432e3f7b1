"""A moving object in each frame: which source it is, its place and its light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lightcurve.astrometry.track import Track
from lightcurve.core.constants import DAY_S, FWHM_PER_SIGMA
from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import Solution, StarPhotometry, Style
from lightcurve.core.flags import Flag
from lightcurve.core.settings import Settings
from lightcurve.image.locate import MIN_ERROR_PX
from lightcurve.image.reduced import Apertures
from lightcurve.phot.aperture import Part, measure_stars
from lightcurve.phot.methods import centroid_of
from lightcurve.phot.streak import Trail, trail_light
from lightcurve.phot.zero_point import ZeroPoint, apply_zero_point, instrumental
from lightcurve.setup.camera import CameraValues

SEARCH_ARCSEC = 60.0  # an orbit that few nights fixed is off by as much
SAME_FWHM = 1.0  # offsets from the path within which sources of several frames are one object
AWAY_FWHM = 2.0  # so far from where the object is now, a source that is still there is a star
MIN_MOVED_FWHM = 2 * AWAY_FWHM  # in all: from each frame one end of the path is so far
CHANCE = 0.01  # that noise and stars not known as such agree as well somewhere
MIN_SNR = 3.0
STAR_SHARE_MAG = 5.0  # a star so much fainter than the object has 1 % of its light
LINEAR_TERMS = 6  # of a plate solution without distortion
LOST = Flag.EDGE | Flag.NO_CENTROID  # it has no place then
WHY_NOT = {
    Flag.EDGE: "over the edge of the frame",
    Flag.NO_CENTROID: "no centroid where it should be",
    Flag.SATURATED: "saturated",
    Flag.CROWDED: "a star's light is in its aperture",
    Flag.BAD_PIXEL: "on a bad pixel",
}


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What a frame tells about the object: pixels around it, and what makes places and light of it.

    near : (n, 3) float array, of the sources near it: RA, Dec (degrees), magnitude.
    zero_points : by aperture, None where there is none.
    """

    file: str
    mid_jd_utc: float
    exposure_s: float
    pixels: np.ndarray
    bad: np.ndarray
    corner: tuple[int, int]  # x, y of the first of these pixels on the frame
    shape: tuple[int, int]  # rows and columns of the frame
    camera: CameraValues
    apertures: Apertures
    beta: float  # of the Moffat profile of its stars
    solution: Solution
    zero_points: tuple[ZeroPoint | None, ...]
    band: str
    catalog: str  # that its places rest on
    near: np.ndarray

    @property
    def fwhm_px(self) -> float:
        """Of the frame's stars."""
        return float(self.apertures.radii[0] / self.apertures.multiples[0])

    @property
    def fwhm_arcsec(self) -> float:
        """Of the frame's stars."""
        return self.fwhm_px * self.solution.scale_arcsec


@dataclass(frozen=True, slots=True)
class Sight:
    """The object in one frame; NaN where something was not measured.

    reason : why this frame gives no place; empty where it gives one.
    """

    file: str
    mid_jd_utc: float
    exposure_s: float
    reason: str = ""
    x: float = np.nan  # pixels of the frame
    y: float = np.nan
    ra_deg: float = np.nan
    dec_deg: float = np.nan
    error_arcsec: float = np.nan  # of one coordinate
    off_ra_arcsec: float = np.nan  # from the path, on the sky
    off_dec_arcsec: float = np.nan
    mag: float = np.nan
    mag_err: float = np.nan
    limit_mag: float = np.nan  # of what would have been seen there
    band: str = ""
    flux_adu: float = np.nan
    flux_err_adu: float = np.nan
    snr: float = np.nan
    radius_px: float = np.nan
    fwhm_arcsec: float = np.nan
    trail_px: float = np.nan  # that it moved while the shutter was open
    stars: int = 0  # that the frame's solution rests on
    catalog: str = ""

    @property
    def good(self) -> bool:
        """Whether it gives a place."""
        return not self.reason


def offsets_arcsec(places: np.ndarray, look: Look, track: Track) -> np.ndarray:
    """How far places are off the path at the time of a frame: (n, 2), arc seconds east and north.

    places: (n, 2 or more), RA and Dec first, degrees.
    """
    ra, dec = track.at(look.mid_jd_utc)
    east = (places[:, 0] - ra + 180) % 360 - 180
    off = np.column_stack([east * np.cos(np.radians(dec)), places[:, 1] - dec]) * 3600
    return np.asarray(off)


def find_offset(looks: Sequence[Look], track: Track) -> tuple[tuple[float, float], int]:
    """Find the one offset from the path at which most frames have a source.

    Sources that other frames show at the same place, while the object is elsewhere, are stars, and
    have no say. Returns the offset, arc seconds, east and north, and in how many frames a source
    has it: 0 where no offset is shared by three frames, where chance explains it, or where the
    object moved too little to be told from a star.
    """
    if not looks or _moved_arcsec(looks, track) < MIN_MOVED_FWHM * _fwhm(looks):
        return (0.0, 0.0), 0
    reach = SAME_FWHM * _fwhm(looks)
    every = _movers(looks, track, reach)
    points = np.concatenate(every)
    shared = np.sum([_is_near(points, off, reach) for off in every], axis=0)
    # Where several are as often seen, the one nearest to the path.
    best = np.lexsort((np.hypot(*points.T), -shared))
    if not len(best) or shared[best[0]] < min(3, len(looks)):
        return (0.0, 0.0), 0
    number = int(shared[best[0]])
    if _chance(every, number, reach) > CHANCE:
        return (0.0, 0.0), 0
    close = points[np.linalg.norm(points - points[best[0]], axis=1) < reach]
    east, north = np.median(close, axis=0)
    return (float(east), float(north)), number


def _movers(looks: Sequence[Look], track: Track, reach: float) -> list[np.ndarray]:
    """Offsets of each frame's sources that are no stars: (n, 2) each, within what is searched."""
    every = [offsets_arcsec(look.near, look, track) for look in looks]
    kept = []
    for look, off in zip(looks, every, strict=True):
        seen, could = np.zeros(len(off)), np.zeros(len(off))
        for other, theirs in zip(looks, every, strict=True):
            there = offsets_arcsec(look.near, other, track)
            moved = np.hypot(*(there - off).T)
            looked = (np.hypot(*there.T) < SEARCH_ARCSEC) & (moved >= AWAY_FWHM * reach)
            could += looked
            seen += looked & _is_near(there, theirs, reach)
        star = (could > 0) & (seen >= could / 2)
        kept.append(off[~star & (np.hypot(*off.T) < SEARCH_ARCSEC)])
    return kept


def _is_near(points: np.ndarray, others: np.ndarray, reach: float) -> np.ndarray:
    """Whether any of the others (m, 2) is within reach of each point (n, 2): (n,) bool."""
    if not len(points) or not len(others):
        return np.zeros(len(points), bool)
    apart = np.linalg.norm(points[:, None] - others[None], axis=2)
    return np.asarray((apart < reach).any(axis=1))


def _chance(every: Sequence[np.ndarray], number: int, reach: float) -> float:
    """How many offsets so many frames would share if their sources lay anywhere."""
    from scipy.special import bdtrc

    share = np.mean([min(len(off) * (reach / SEARCH_ARCSEC) ** 2, 1.0) for off in every])
    return float(sum(map(len, every)) * bdtrc(number - 2, len(every) - 1, share))


def _moved_arcsec(looks: Sequence[Look], track: Track) -> float:
    times = [look.mid_jd_utc for look in looks]
    ra, dec = track.at(np.array([min(times), max(times)]))
    return 3600 * degrees_apart((ra[0], dec[0]), (ra[1], dec[1]))


def _fwhm(looks: Sequence[Look]) -> float:
    return float(np.median([look.fwhm_arcsec for look in looks]))


def sight(
    look: Look,
    looks: Sequence[Look],
    track: Track,
    offset: tuple[float, float],
    settings: Settings,
) -> Sight:
    """Measure the object in one frame: along its trail, where it is seen, else where it should be.

    looks: of all frames, whose sources tell where stars are.
    """
    there = expected(look, track, offset)
    trail = _trail(look, track, there)
    length = 2 * float(np.hypot(trail.half_x, trail.half_y))
    radii, main = look.apertures.radii, look.apertures.main
    # Flags are those of the least circle that holds the trail.
    k = min(int(np.searchsorted(radii, radii[main] + length / 2)), len(radii) - 1)
    phot = _measured(look, trail, length, settings)
    seen = replace(trail, x=float(phot.x[0]), y=float(phot.y[0]))
    bits, light = int(phot.flags[0, k]), _light(look, seen)
    if bits & LOST or not light["snr"] >= MIN_SNR:
        seen, light = trail, _light(look, trail)
    found = Sight(
        look.file, look.mid_jd_utc, look.exposure_s, x=seen.x, y=seen.y,
        radius_px=float(radii[main]), fwhm_arcsec=look.fwhm_arcsec, trail_px=length,
        stars=look.solution.n_matched, catalog=look.catalog, **light,
    )  # fmt: skip
    placed = _placed(found, look, track)
    bits |= _stars_near(placed, looks, track, offset)
    return replace(placed, reason=_why_not(placed, bits))


def _trail(look: Look, track: Track, there: tuple[float, float]) -> Trail:
    """Tell the trail that the object should leave: pixels of the frame."""
    wcs, half = look.solution.wcs, look.exposure_s / DAY_S / 2
    ra, dec = track.at(look.mid_jd_utc + np.array([0.0, -half, half]))
    (x, y), (path_x, path_y) = (
        wcs.all_world2pix(*place, 0, quiet=True) for place in (there, (ra, dec))
    )
    half_x, half_y = (float(v[2] - v[1]) / 2 for v in (path_x, path_y))
    return Trail(float(x), float(y), half_x, half_y, look.fwhm_px, look.beta)


def expected(look: Look, track: Track, offset: tuple[float, float]) -> tuple[float, float]:
    """Tell where the object should be, degrees: on its path, off by so many arc seconds."""
    ra, dec = (float(v[0]) for v in track.at(look.mid_jd_utc))
    east = offset[0] / 3600 / max(float(np.cos(np.radians(dec))), 1e-6)
    return (ra + east) % 360, dec + offset[1] / 3600


def _measured(look: Look, trail: Trail, length: float, settings: Settings) -> StarPhotometry:
    return measure_stars(
        look.pixels, look.bad, np.array([trail.x]), np.array([trail.y]), look.apertures.radii,
        look.apertures.annulus, look.camera.noise, saturation_adu=look.camera.saturation_adu,
        linearity_adu=look.camera.linearity_adu, max_shift=SAME_FWHM * look.fwhm_px + length / 2,
        centroid=centroid_of(settings.apertures.centroid, Style.LIGHTCURVE),
        part=Part(*look.corner, look.shape),
    )  # fmt: skip


def _light(look: Look, trail: Trail) -> dict[str, Any]:
    """Flux, signal-to-noise ratio, magnitude and limit along a trail, pixels of the frame."""
    main = look.apertures.main
    here = replace(trail, x=trail.x - look.corner[0], y=trail.y - look.corner[1])
    flux, error = trail_light(
        look.pixels, look.bad, here, float(look.apertures.radii[main]), look.apertures.annulus,
        look.camera.noise,
    )  # fmt: skip
    told: dict[str, Any] = {"flux_adu": flux, "flux_err_adu": error, "snr": flux / error}
    zero_point = look.zero_points[main]
    if zero_point is not None:
        fluxes = np.array([flux, MIN_SNR * error])
        inst = instrumental(fluxes, np.full(2, error), look.exposure_s)
        (mag, limit), (err, _) = apply_zero_point(zero_point, *inst)
        told |= {"mag": float(mag), "mag_err": float(err), "limit_mag": float(limit)}
        told |= {"band": look.band}
    return told


def _placed(found: Sight, look: Look, track: Track) -> Sight:
    """Add the place on the sky, its error, and how far it is off the path."""
    ra, dec = (float(v) for v in look.solution.wcs.all_pix2world(found.x, found.y, 0))
    path_ra, path_dec = (float(v[0]) for v in track.at(look.mid_jd_utc))
    east = ((ra - path_ra + 180) % 360 - 180) * float(np.cos(np.radians(dec))) * 3600
    # A trail is as good as a star of its length: uniform, so its sigma is its length over sqrt 12.
    width = np.hypot(look.fwhm_px / FWHM_PER_SIGMA, found.trail_px / np.sqrt(12))
    centroid = max(width / max(found.snr, 1.0), MIN_ERROR_PX) * look.solution.scale_arcsec
    # Of the solution itself: its stars' scatter times the mean leverage of its six terms.
    share = min(LINEAR_TERMS / max(look.solution.n_matched, 1), 1.0)
    common = np.nan_to_num(look.solution.rms_arcsec) * np.sqrt(share / 2)
    return replace(
        found, ra_deg=ra, dec_deg=dec, error_arcsec=float(np.hypot(centroid, common)),
        off_ra_arcsec=east, off_dec_arcsec=(dec - path_dec) * 3600,
    )  # fmt: skip


def _stars_near(
    found: Sight, looks: Sequence[Look], track: Track, offset: tuple[float, float]
) -> int:
    """Flag a star's light in the aperture: what frames show there while the object is elsewhere."""
    here = found.ra_deg, found.dec_deg
    for other in looks:
        reach = found.radius_px + found.trail_px / 2
        reach = reach * other.solution.scale_arcsec + other.fwhm_arcsec
        away = 3600 * degrees_apart(here, expected(other, track, offset))
        if away < 2 * reach:
            continue
        for ra, dec, mag in other.near:
            bright = not mag > found.mag + STAR_SHARE_MAG
            if bright and 3600 * degrees_apart(here, (ra, dec)) < reach:
                return int(Flag.CROWDED)
    return 0


def _why_not(found: Sight, bits: int) -> str:
    """Say why a sight gives no place; empty where it gives one."""
    why = [reason for flag, reason in WHY_NOT.items() if bits & flag]
    if not found.snr >= MIN_SNR and not bits & Flag.EDGE:
        why.append(f"too faint: S/N {found.snr:.1f}")
    return "; ".join(why)
