"""Turn fluxes into magnitudes: each kind of flux by its own zero point, fitted on that flux."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

import numpy as np

from lightcurve import times
from lightcurve.config import Settings
from lightcurve.errors import FitError
from lightcurve.flags import Flag
from lightcurve.image_stages.place import Placed, on_sky
from lightcurve.image_stages.prepare import Prepared
from lightcurve.image_stages.sources import Sources
from lightcurve.image_stages.standards import Standards
from lightcurve.phot.completeness import Completeness, Trial, measure_completeness
from lightcurve.phot.limits import Limits, blank_fluxes, blank_places, measure_limits
from lightcurve.phot.psf import moffat_psf
from lightcurve.phot.zeropoint import ZeroPoint, apply_zero_point, fit_zero_point, instrumental

log = logging.getLogger(__name__)

MIN_SNR = 10.0  # of a standard: fainter ones are found when noise makes them brighter
SPOILT = int(Flag.EDGE | Flag.SATURATED | Flag.NON_LINEAR | Flag.BAD_PIXEL | Flag.NO_CENTROID)


@dataclass(frozen=True, slots=True, eq=False)
class Magnitudes:
    """One kind of flux as magnitudes.

    Attributes
    ----------
    name : str
        ``"aperture_1_3"`` (1.3 FWHM) ... or ``"psf"``.
    text : str
        The same for people.
    inst, inst_err : (n,) float arrays
        ``-2.5 log10(ADU / s)`` and its error.
    zero_point : ZeroPoint or None
        None when it could not be fitted.
    mag, err : (n,) float arrays
        Calibrated; NaN without a zero point. The error has that of the zero point in it.
    """

    name: str
    text: str
    inst: np.ndarray
    inst_err: np.ndarray
    zero_point: ZeroPoint | None
    mag: np.ndarray
    err: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A frame's magnitudes and how faint it reaches.

    Attributes
    ----------
    kinds : tuple of Magnitudes
        The apertures, ascending, then the PSF.
    main : int
        The aperture that speaks for the frame.
    standards : Standards or None
    rows, stars : (m,) int arrays
        Sources that are matched to standards, and which.
    serves : (m,) bool array
        Whether such a pair may calibrate.
    limits : Limits
        In magnitudes, or NaN without a zero point.
    completeness : Completeness or None
        None without a zero point, or when no stars were to be put in.
    airmass : float
        NaN when time or site is not known.
    extinction_mag : float
        Of the zero point, to be added for one above the atmosphere; 0 when not asked for.
    notes : tuple of str
    """

    kinds: tuple[Magnitudes, ...]
    main: int
    standards: Standards | None
    rows: np.ndarray
    stars: np.ndarray
    serves: np.ndarray
    limits: Limits
    completeness: Completeness | None
    airmass: float
    extinction_mag: float
    notes: tuple[str, ...] = ()

    @property
    def aperture(self) -> Magnitudes:
        """Magnitudes in the main aperture."""
        return self.kinds[self.main]

    @property
    def psf(self) -> Magnitudes | None:
        """Magnitudes by the PSF, if there was one."""
        return self.kinds[-1] if self.kinds[-1].name == "psf" else None


def calibrate_sources(
    prepared: Prepared,
    sources: Sources,
    placed: Placed,
    standards: Standards | None,
    settings: Settings,
) -> Calibrated:
    """Fit zero points and limits.

    Parameters
    ----------
    prepared : Prepared
    sources : Sources
    placed : Placed
    standards : Standards or None
    settings : Settings

    Returns
    -------
    Calibrated
    """
    rows, stars, serves = _pairs(sources, placed, standards)
    colour = _colours(sources, standards, rows, stars, settings)
    notes = () if standards is None else standards.notes
    kinds = []
    for name, text, flux, error in fluxes(sources):
        inst = instrumental(flux, error, prepared.exposure_s)
        zero_point, note = _zero_point(inst, standards, (rows[serves], stars[serves]), colour)
        notes += (f"{text}: {note}",) if note else ()
        mag = err = np.full(len(sources), np.nan)
        if zero_point is not None:
            mag, err = apply_zero_point(zero_point, *inst, colour)
        kinds.append(Magnitudes(name, text, *inst, zero_point, mag, err))
    main = sources.apertures.main
    airmass = _airmass(prepared, placed)
    k = settings.image.extinction_mag_per_airmass
    if k is not None and not np.isfinite(airmass):
        notes += ("no zero point above the atmosphere: airmass not known (time and site)",)
    for note in notes:
        log.warning("%s", note)
    limits = _limits(prepared, sources, kinds[main].zero_point, settings)
    completeness = _completeness(prepared, sources, kinds[main].zero_point, limits, settings)
    _report(kinds[main], limits)
    return Calibrated(
        tuple(kinds), main, standards, rows, stars, serves, limits, completeness, airmass,
        float(np.nan_to_num((k or 0.0) * airmass)), notes,
    )  # fmt: skip


def fluxes(sources: Sources) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """List every kind of flux.

    Parameters
    ----------
    sources : Sources

    Returns
    -------
    list of (name, text, flux, flux_err)
        ADU.
    """
    apertures, phot = sources.apertures, sources.phot
    kinds = [
        (f"aperture_{_word(m)}", f"aperture of {m:.3g} FWHM", phot.flux[:, k], phot.flux_err[:, k])
        for k, m in enumerate(apertures.multiples)
    ]
    if sources.psf_phot is not None:
        kinds.append(("psf", "PSF", sources.psf_phot.flux, sources.psf_phot.flux_err))
    return kinds


def _word(multiple: float) -> str:
    return f"{multiple:.2g}".replace(".", "_")


def _pairs(
    sources: Sources, placed: Placed, standards: Standards | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pair sources and standards that are each other's nearest, and which pairs may calibrate.

    Only what the search found, by centroids: an aperture's zero point is the same without a PSF.
    """
    none = np.zeros(0, dtype=int)
    if standards is None:
        return none, none, none.astype(bool)
    found = np.flatnonzero(sources.found_by == "search")
    centroids = on_sky(replace(sources, psf_phot=None), placed.solution)
    matches = centroids.only(found).match(standards.catalog)
    rows, stars = found[matches.source[matches.mutual]], matches.row[matches.mutual]
    serves = (standards.reasons[stars] == "") & (sources.snr[rows] >= MIN_SNR)
    serves &= sources.alone[rows] & ((sources.flags[rows] & SPOILT) == 0)
    return rows, stars, serves


def _colours(
    sources: Sources,
    standards: Standards | None,
    rows: np.ndarray,
    stars: np.ndarray,
    settings: Settings,
) -> np.ndarray | None:
    """Colours of the sources, where the catalogue has them and a colour term is wanted."""
    if standards is None or not settings.image.colour_term or not standards.colour_name:
        return None
    colour = np.full(len(sources), np.nan)
    colour[rows] = standards.colour[stars]
    return colour


def _zero_point(
    inst: tuple[np.ndarray, np.ndarray],
    standards: Standards | None,
    pairs: tuple[np.ndarray, np.ndarray],
    colour: np.ndarray | None,
) -> tuple[ZeroPoint | None, str]:
    if standards is None:
        return None, "no catalogue with magnitudes: instrumental magnitudes only"
    rows, stars = pairs
    try:
        return fit_zero_point(
            inst[0][rows], inst[1][rows], standards.mag[stars], standards.mag_err[stars],
            colour=None if colour is None else colour[rows],
        ), ""  # fmt: skip
    except FitError as error:
        return None, str(error)


def _airmass(prepared: Prepared, placed: Placed) -> float:
    exposure = prepared.frame.exposure
    if exposure.mid_jd_utc is None or not len(placed.ra_deg):
        return float("nan")
    ra, dec = (float(value) for value in placed.solution.wcs.wcs.crval)
    return float(times.airmass(exposure.mid_jd_utc, ra, dec, exposure.site))


def _limits(
    prepared: Prepared, sources: Sources, zero_point: ZeroPoint | None, settings: Settings
) -> Limits:
    apertures, background = sources.apertures, prepared.background
    radius = float(apertures.radii[apertures.main])
    occupied = background.sources | ~prepared.good
    places = blank_places(occupied, radius, np.random.default_rng([settings.seed, 0xB1A]))
    frame = prepared.frame
    empty = blank_fluxes(frame.pixels, frame.bad, places, radius, apertures.annulus)
    inner, outer = apertures.annulus
    return measure_limits(
        empty,
        radius_px=radius,
        pixel_rms=float(np.median(background.rms)),
        n_sky=np.pi * (outer**2 - inner**2),
        gain_e_per_adu=prepared.camera.noise.gain_e_per_adu,
        zero_point=float("nan") if zero_point is None else zero_point.value,
        exposure_s=prepared.exposure_s,
    )


def _completeness(
    prepared: Prepared,
    sources: Sources,
    zero_point: ZeroPoint | None,
    limits: Limits,
    settings: Settings,
) -> Completeness | None:
    """Put stars in from well above the limit to well below it."""
    wanted, apertures = settings.image, sources.apertures
    five = next(one for one in limits.limits if one.snr == 5)
    middle = five.measured if np.isfinite(five.measured) else five.analytic
    if zero_point is None or not wanted.injected or not np.isfinite(middle):
        return None
    radius = float(apertures.radii[apertures.main])
    fwhm = radius / float(apertures.multiples[apertures.main])
    psf = sources.psf or moffat_psf((fwhm, fwhm, 0.0, 3.0), np.ceil(5 * fwhm) + 2, 2)
    frame = prepared.frame
    trial = Trial(
        frame.pixels, frame.bad, prepared.background, psf, prepared.camera.noise,
        zero_point.value - 2.5 * np.log10(psf.enclosed(radius)), prepared.exposure_s, fwhm,
        wanted.threshold_sigma, wanted.finder, radius, apertures.annulus,
    )  # fmt: skip
    rng = np.random.default_rng([settings.seed, 0xC0])
    return measure_completeness(trial, wanted.injected, (middle - 2.5, middle + 1.5), rng)


def _report(kind: Magnitudes, limits: Limits) -> None:
    if kind.zero_point is None:
        return
    zero = kind.zero_point
    log.info(
        "zero point (%s): %.3f +- %.3f mag, %d stars, scatter %.3f",
        kind.text, zero.value, zero.err, zero.n_used, zero.scatter,
    )  # fmt: skip
    log.info(
        "limits: %s",
        ", ".join(f"{one.snr:g} sigma {one.measured:.2f} mag" for one in limits.limits),
    )
