"""Turn fluxes into magnitudes, each kind by its own zero point, and tell how faint they reach."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from lightcurve.core import times
from lightcurve.core.errors import FitError
from lightcurve.core.robust import median_error
from lightcurve.core.settings import Settings
from lightcurve.image.locate import on_sky
from lightcurve.image.reduced import (
    Calibrated,
    FoundBy,
    Look,
    Magnitudes,
    Placed,
    Prepared,
    Sources,
    Standards,
)
from lightcurve.image.sources import disturbed
from lightcurve.phot.depth import (
    Completeness,
    Limits,
    Purity,
    Trial,
    blank_fluxes,
    blank_places,
    measure_completeness,
    measure_limits,
)
from lightcurve.phot.epsf import SPOILT
from lightcurve.phot.finder import find_sources, negative
from lightcurve.phot.psf import Psf, mean_fwhm, moffat_psf
from lightcurve.phot.surface import fit_surface
from lightcurve.phot.zero_point import ZeroPoint, apply_zero_point, fit_zero_point, instrumental

log = logging.getLogger(__name__)
TIED_SNR, MIN_TIED = 30.0, 20  # stars that tie the PSF's magnitudes to the aperture's
TIED_FWHM, TIED_SHARE = 2.0, 0.01  # no neighbour of theirs so near has such a share of light
TIED_ERROR, TIED_ORDER = 0.005, 2  # mag, of each at least; of a polynomial of the place
MIN_PROVEN, CHANCE = 10, 0.001  # standards that tell scatter, and how seldom by chance alone
HALF_FWHM = 5.0  # half width of a Moffat profile's grid
MIN_SNR = 10.0  # of a standard: fainter ones are found when noise makes them brighter


def calibrate_sources(
    prepared: Prepared,
    sources: Sources,
    placed: Placed,
    standards: Standards | None,
    settings: Settings,
) -> Calibrated:
    """Fit zero points and limits."""
    pairs = _pairs(sources, placed, standards)
    kinds, notes = _magnitudes(prepared, sources, standards, pairs, settings)
    main = sources.apertures.main
    zero_point = kinds[main].zero_point
    airmass = _airmass(prepared, placed)
    k = settings.image.extinction_mag_per_airmass
    if k is not None and not np.isfinite(airmass):
        notes += ("no zero point above the atmosphere: airmass not known (time and site)",)
    if standards is None:
        notes += ("no zero point: magnitudes and limits are instrumental",)
    else:
        _tell(standards)
    for note in notes:
        log.warning("%s", note)
    limits = frame_limits(prepared, sources, zero_point, settings)
    completeness = frame_completeness(prepared, sources, zero_point, limits, settings)
    _report(kinds[main], limits)
    return Calibrated(
        kinds, main, standards, *pairs, limits, completeness,
        frame_purity(prepared, sources, kinds[main], settings), airmass,
        float(np.nan_to_num((k or 0.0) * airmass)), notes,
    )  # fmt: skip


def _tell(standards: Standards) -> None:
    log.info(
        "standards: %s in %s%s, %d of %d stars fit to serve",
        standards.catalog.title, standards.band, f" {standards.formula}".rstrip(),
        np.count_nonzero(standards.reasons == ""), len(standards.catalog),
    )  # fmt: skip


def catalogue_offsets(
    prepared: Prepared, sources: Sources, placed: Placed, standards: Standards
) -> np.ndarray:
    """Subtract instrumental magnitudes in the main aperture from those of the catalogue.

    Returns (n,) float array, one a source; NaN for those that may not calibrate.
    """
    rows, stars, serves = _pairs(sources, placed, standards)
    flux = fluxes(sources)[sources.apertures.main]
    inst, _ = instrumental(flux[2], flux[3], prepared.exposure_s)
    offset = np.full(len(sources), np.nan)
    offset[rows[serves]] = standards.mag[stars[serves]] - inst[rows[serves]]
    return offset


def fluxes(sources: Sources) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """List every kind of flux: name, text, flux and its error, ADU."""
    apertures, phot = sources.apertures, sources.phot
    kinds = [
        (f"aperture_{word.replace('.', '_')}", f"aperture of {m:.3g} FWHM", *columns)
        for word, m, *columns in zip(
            _words(apertures.multiples), apertures.multiples, phot.flux.T, phot.flux_err.T,
            strict=True,
        )
    ]  # fmt: skip
    if sources.psf_phot is not None:
        kinds.append(("psf", "PSF", sources.psf_phot.flux, sources.psf_phot.flux_err))
    return kinds


def _shares(sources: Sources) -> list[np.ndarray]:
    """Tell for each kind of flux the light (n,) in it over that of a star in the field's middle.

    Where stars are wider less of their light lies within the same radius; by the Moffat profiles of
    the widths, so that apertures do not depend on a PSF. The fit of the PSF has it by itself.
    """
    phot, profile = sources.phot, _profile(sources)
    shares = [
        profile.enclosed_at(float(r), phot.x, phot.y) / profile.enclosed(float(r))
        for r in sources.apertures.radii
    ]
    return shares if sources.psf_phot is None else [*shares, np.ones(len(sources))]


def _profile(sources: Sources) -> Psf:
    """Give the Moffat profile of the widths, as it is over the field."""
    widths, apertures = sources.widths, sources.apertures
    half = np.ceil(max(HALF_FWHM * mean_fwhm(widths.shape), float(apertures.radii[-1]))) + 2
    return moffat_psf(widths.shape, widths.stars.beta, half, 2)


def _words(multiples: np.ndarray) -> list[str]:
    """Write radii, in FWHM, with as many digits as tell them apart, at least two."""
    for digits in range(2, 8):
        words = [f"{m:.{digits}g}" for m in multiples]
        if len(set(words)) == len(words):
            break
    return words


def _magnitudes(
    prepared: Prepared,
    sources: Sources,
    standards: Standards | None,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    settings: Settings,
) -> tuple[tuple[Magnitudes, ...], tuple[str, ...]]:
    """Turn each kind of flux into magnitudes; say why where it has no zero point."""
    rows, stars, serves = pairs
    colour = _colours(sources, standards, rows, stars, settings)
    notes = () if standards is None else standards.notes
    kinds = []
    measured, main = fluxes(sources), sources.apertures.main
    insts = [
        instrumental(flux / share, error / share, prepared.exposure_s)
        for (_, _, flux, error), share in zip(measured, _shares(sources), strict=True)
    ]
    tie = np.zeros(0, dtype=int)
    if sources.psf_phot is not None:
        tie = _tie_stars(sources, insts[-1][0], insts[main][0])
        insts[-1] = (_by_place(sources, tie, insts[-1][0], insts[main]), insts[-1][1])
    for (name, text, _, _), inst in zip(measured, insts, strict=True):
        zero_point, note = _zero_point(inst, standards, (rows[serves], stars[serves]), colour)
        notes += (f"{text}: {note}",) if note else ()
        mag = err = np.full(len(sources), np.nan)
        if zero_point is not None:
            mag, err = apply_zero_point(zero_point, *inst, colour)
        kinds.append(Magnitudes(name, text, *inst, zero_point, mag, err))
    if sources.psf_phot is not None:
        kinds[-1] = replace(kinds[-1], by_psf=True)
        kinds = _tied_kinds(tie, kinds, main, rows[serves], colour)
    return tuple(kinds), notes


def _tie_stars(sources: Sources, psf: np.ndarray, aperture: np.ndarray) -> np.ndarray:
    """Choose bright stars that are alone: rows; psf, aperture: (n,) instrumental magnitudes."""
    fwhm = float(sources.apertures.radii[0] / sources.apertures.multiples[0])
    near = disturbed(
        sources.phot, sources.psf_phot, sources.apertures, TIED_FWHM * fwhm, TIED_SHARE
    )
    good = sources.alone & ~near & (sources.snr > TIED_SNR) & (sources.flags == 0)
    # Apertures hold more of a galaxy than the PSF does.
    good &= sources.looks.look == Look.STAR
    return np.flatnonzero(good & np.isfinite(psf) & np.isfinite(aperture))


def _by_place(
    sources: Sources, tie: np.ndarray, psf: np.ndarray, aperture: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Bring the PSF's magnitudes (n,) to the aperture's, as far as their offset changes over it.

    aperture: magnitudes and errors. Unchanged where there is no evidence for that.
    """
    if len(tie) < MIN_TIED:
        return psf
    x, y = sources.phot.x, sources.phot.y
    difference, noise = (aperture[0] - psf)[tie], np.hypot(aperture[1][tie], TIED_ERROR)
    surface = fit_surface(x[tie], y[tie], difference[:, None], 1 / noise, TIED_ORDER)
    if not surface.order:
        return psf
    offset = surface.at(x, y)[:, 0]
    return psf + offset - float(np.median(offset[tie]))


def _tied_kinds(
    tie: np.ndarray,
    kinds: list[Magnitudes],
    main: int,
    rows: np.ndarray,
    colour: np.ndarray | None,
) -> list[Magnitudes]:
    """Put the PSF's magnitudes on the scale of the main aperture's, or in a crowd all on the PSF's.

    Standards are few, and bright ones among them are what a PSF fits worst: by them alone the two
    kinds would differ by more than they can. But where stars crowd, their light in the annulus
    makes the sky too high for apertures, and faint standards, the most, too faint. Then those
    scatter more about their zero point than the PSF's do.
    """
    psf, aperture = kinds[-1], kinds[main]
    if psf.zero_point is None or aperture.zero_point is None or len(tie) < MIN_TIED:
        return kinds
    if _agrees_better(psf.zero_point, aperture.zero_point):
        return [*(_tied(tie, one, psf, rows, colour) for one in kinds[:-1]), psf]
    return [*kinds[:-1], _tied(tie, psf, aperture, rows, colour)]


def _agrees_better(one: ZeroPoint, other: ZeroPoint) -> bool:
    """Tell whether the standards of one scatter less by more than chance has it (F test)."""
    from scipy.special import fdtrc

    if min(one.n_used, other.n_used) <= MIN_PROVEN:
        return False
    ratio = (other.scatter / max(one.scatter, 1e-9)) ** 2
    return bool(fdtrc(other.n_used - 1, one.n_used - 1, ratio) < CHANCE)


def _tied(
    tie: np.ndarray,
    one: Magnitudes,
    other: Magnitudes,
    rows: np.ndarray,
    colour: np.ndarray | None,
) -> Magnitudes:
    """Put one kind of magnitudes on the scale of another, by all bright stars that are alone."""
    whole = other.zero_point
    if whole is None or one.zero_point is None:
        return one
    difference = (other.inst - one.inst)[tie]
    difference = difference[np.isfinite(difference)]
    if len(difference) < MIN_TIED:
        return one
    offset = float(np.median(difference))
    # The scatter by the median too, for variables and blends are among them.
    err = median_error(difference)
    residual = whole.residual + (other.inst - one.inst)[rows] - offset
    zero_point = replace(
        whole, value=whole.value + offset, err=float(np.hypot(whole.err, err)), residual=residual,
        scatter=float(np.nanstd(residual[whole.used])),
    )  # fmt: skip
    mag, mag_err = apply_zero_point(zero_point, one.inst, one.inst_err, colour)
    log.info(
        "magnitudes (%s) tied to those in the %s by %d stars: %+.4f +- %.4f mag",
        one.text, other.text, len(difference), offset, err,
    )  # fmt: skip
    return replace(one, zero_point=zero_point, mag=mag, err=mag_err)


def _pairs(
    sources: Sources, placed: Placed, standards: Standards | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pair sources and standards that are each other's nearest, and which pairs may calibrate.

    Only what the search found, by centroids: an aperture's zero point is the same without a PSF.
    """
    none = np.zeros(0, dtype=int)
    if standards is None or placed.solution is None:
        return none, none, none.astype(bool)
    found = np.flatnonzero(sources.found_by == FoundBy.SEARCH)
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
        return None, ""
    rows, stars = pairs
    try:
        return fit_zero_point(
            inst[0][rows], inst[1][rows], standards.mag[stars], standards.mag_err[stars],
            colour=None if colour is None else colour[rows],
        ), ""  # fmt: skip
    except FitError as error:
        return None, str(error)


def _airmass(prepared: Prepared, placed: Placed) -> float:
    """Airmass of the middle of the frame; unsolved, of where the header says it was pointed."""
    exposure = prepared.frame.exposure
    ra: float | None
    dec: float | None
    ra, dec = placed.centre_deg(prepared.shape)
    if placed.unsolved:
        ra, dec = exposure.ra_deg, exposure.dec_deg
    if exposure.mid_jd_utc is None or ra is None or dec is None:
        return float("nan")
    return float(times.airmass(exposure.mid_jd_utc, ra, dec, exposure.site))


def _report(kind: Magnitudes, limits: Limits) -> None:
    zero = kind.zero_point
    if zero is not None:
        log.info(
            "zero point (%s): %.3f +- %.3f mag, %d stars, scatter %.3f",
            kind.text, zero.value, zero.err, zero.n_used, zero.scatter,
        )  # fmt: skip
    kept = [one for one in limits.limits if np.isfinite(one.measured)]
    log.info(
        "limits%s: %s",
        "" if zero is not None else " (instrumental)",
        ", ".join(f"{one.snr:g} sigma {one.measured:.2f} mag" for one in kept)
        or f"not measured, {limits.n_blank} blank apertures are too few",
    )


def frame_limits(
    prepared: Prepared, sources: Sources, zero_point: ZeroPoint | None, settings: Settings
) -> Limits:
    """Measure how faint the main aperture reaches, in blank apertures and by the noise equation.

    zero_point : without one the limits are in instrumental magnitudes.
    """
    apertures, background = sources.apertures, prepared.background
    radius = float(apertures.radii[apertures.main])
    occupied = background.sources | ~prepared.good
    places = blank_places(
        occupied,
        radius,
        sources.apertures.annulus[1],
        np.random.default_rng([settings.seed, 0xB1A]),
    )
    frame = prepared.frame
    empty = blank_fluxes(frame.pixels, places, radius, apertures.annulus)
    inner, outer = apertures.annulus
    noise = prepared.camera.noise
    return measure_limits(
        empty, radius_px=radius,
        pixel_rms=float(np.median(background.rms) * noise.of_circle(np.array(np.pi * radius**2))),
        n_sky=np.pi * (outer**2 - inner**2), gain_e_per_adu=noise.gain_e_per_adu,
        zero_point=_value(zero_point), exposure_s=prepared.exposure_s,
    )  # fmt: skip


def frame_completeness(
    prepared: Prepared,
    sources: Sources,
    zero_point: ZeroPoint | None,
    limits: Limits,
    settings: Settings,
) -> Completeness | None:
    """Put stars into the frame, from well above the limit to well below it.

    zero_point : without one magnitudes are instrumental.
    Returns None when no stars were to be put in, or the limit is not known.
    """
    wanted, apertures = settings.image, sources.apertures
    five = next(one for one in limits.limits if one.snr == 5)
    middle = five.measured if np.isfinite(five.measured) else five.analytic
    if not wanted.injected or not np.isfinite(middle):
        return None
    radius = float(apertures.radii[apertures.main])
    fwhm = radius / float(apertures.multiples[apertures.main])
    psf = sources.psf or _profile(sources)
    frame = prepared.frame
    trial = Trial(
        frame.pixels, frame.bad, prepared.filtered, psf, prepared.camera.noise,
        _value(zero_point) - 2.5 * np.log10(psf.enclosed(radius)), prepared.exposure_s, fwhm,
        wanted.threshold_sigma, wanted.finder, radius, apertures.annulus,
    )  # fmt: skip
    rng = np.random.default_rng([settings.seed, 0xC0])
    return measure_completeness(trial, wanted.injected, (middle - 2.5, middle + 1.5), rng)


def frame_purity(
    prepared: Prepared, sources: Sources, kind: Magnitudes, settings: Settings
) -> Purity:
    """Search the frame's negative just as the frame; magnitudes are on the scale of `kind`."""
    frame, wanted = prepared.frame, settings.image
    apertures = sources.apertures
    fwhm = float(apertures.radii[apertures.main] / apertures.multiples[apertures.main])
    false = find_sources(
        negative(frame.pixels, prepared.background), frame.bad, prepared.filtered, fwhm,
        threshold_sigma=wanted.threshold_sigma, method=wanted.finder,
        gain_e_per_adu=prepared.camera.noise.gain_e_per_adu,
    )  # fmt: skip
    # Charge that a saturated star takes from its surroundings is no noise.
    good = prepared.good[np.rint(false.y).astype(int), np.rint(false.x).astype(int)]
    searched = sources.found_by == FoundBy.SEARCH
    with np.errstate(invalid="ignore", divide="ignore"):
        mag, of_false = (-2.5 * np.log10(f) for f in (sources.matched[searched], false.flux[good]))
    scale = (kind.shown[searched] - mag)[sources.flags[searched] == 0]
    scale = scale[np.isfinite(scale)]
    offset = float(np.median(scale)) if len(scale) else 0.0
    return Purity(mag + offset, of_false + offset)


def _value(zero_point: ZeroPoint | None) -> float:
    return 0.0 if zero_point is None else zero_point.value
