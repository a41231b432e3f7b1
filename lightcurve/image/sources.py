"""Where light and sky are summed on one frame; find its sources and measure them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lightcurve.core.data import StarPhotometry, Style
from lightcurve.core.flags import Flag, PixelFlag
from lightcurve.core.settings import ImageSettings, Settings
from lightcurve.image.looks import tell_looks
from lightcurve.image.psf import fit_sources, frame_psf
from lightcurve.image.reduced import (
    GUESS_FWHM,
    Apertures,
    FoundBy,
    Prepared,
    Seeing,
    Sources,
    Spread,
)
from lightcurve.phot.aperture import measure_stars
from lightcurve.phot.epsf import choose_psf_stars
from lightcurve.phot.finder import Found, find_sources
from lightcurve.phot.methods import centroid_of
from lightcurve.phot.psf_fit import PsfPhotometry
from lightcurve.phot.seeing import ANNULUS_FWHM, MIN_INNER, MIN_WIDTH, Widths, measure_widths

MIN_RADIUS_PX = 1.5
log = logging.getLogger(__name__)
CROWDED_SHARE = 0.01  # of a source's own light: what a neighbour must have to matter
BLOCK_PIXELS = 20_000_000  # cut out at once; more stars are measured in blocks


def choose_apertures(fwhm: float, settings: Settings) -> Apertures:
    """Choose radii and annulus: given in pixels, else multiples of the FWHM.

    fwhm: pixels. No radius under 1.5 px; the annulus from 4 to 7 FWHM.
    """
    given = settings.apertures.radii
    if given:
        radii = np.array(sorted(given))
        main = int(np.abs(radii - settings.image.main_aperture_fwhm * fwhm).argmin())
    else:
        multiples = np.array(sorted(settings.image.apertures_fwhm))
        radii = np.maximum(multiples * fwhm, MIN_RADIUS_PX)
        radii += 0.1 * np.arange(len(radii)) * (np.diff(radii, prepend=0) <= 0)
        main = int(np.abs(multiples - settings.image.main_aperture_fwhm).argmin())
    inner = float(np.ceil(max(ANNULUS_FWHM[0] * fwhm, MIN_INNER, radii[-1] + 1)))
    outer = float(np.ceil(max(ANNULUS_FWHM[1] * fwhm, inner + MIN_WIDTH)))
    return Apertures(radii, radii / fwhm, main, settings.apertures.annulus or (inner, outer))


def disturbed(
    phot: StarPhotometry,
    psf_phot: PsfPhotometry | None,
    apertures: Apertures,
    reach: float,
    share: float,
) -> np.ndarray:
    """Tell which sources, (n,) bool, have a neighbour of some brightness.

    psf_phot: its fluxes are compared where there are such, for apertures hold their neighbours'
    light.
    reach: pixels. share: of a source's own light that a neighbour must have.
    """
    from scipy.spatial import cKDTree

    light = phot.flux[:, apertures.main]
    if psf_phot is not None:
        light = np.where(np.isfinite(psf_phot.flux), psf_phot.flux, light)
    light = np.nan_to_num(light)
    one, other = (
        cKDTree(np.column_stack([phot.x, phot.y])).query_pairs(reach, output_type="ndarray").T
    )
    found = np.zeros(len(light), dtype=bool)
    found[one[light[other] > share * light[one]]] = True
    found[other[light[one] > share * light[other]]] = True
    return found


PER_STAR = tuple(name for name in StarPhotometry.__slots__ if name != "radius_used")


def measure_seeing(prepared: Prepared) -> Seeing:
    """Take the FWHM that the fits give, else a quick one of few stars, else a guess, aloud."""
    widths, stars = _widths(prepared), prepared.stars
    if np.isfinite(widths.fwhm):
        return Seeing(widths, widths.fwhm, "")
    if len(stars):
        fwhm = float(np.median(stars.fwhm))
        return Seeing(widths, fwhm, f"FWHM of {fwhm:.2f} px from {len(stars)} stars only, roughly")
    note = f"FWHM of {GUESS_FWHM:g} px assumed: there is no star to tell it"
    return Seeing(widths, GUESS_FWHM, note)


def detect_sources(prepared: Prepared, seeing: Seeing, wanted: ImageSettings) -> Found:
    """Find the sources of a frame, but for those on a border or a trail."""
    frame = prepared.frame
    found = find_sources(
        frame.pixels, frame.bad, prepared.filtered, seeing.fwhm,
        threshold_sigma=wanted.threshold_sigma, method=wanted.finder,
        gain_e_per_adu=prepared.camera.noise.gain_e_per_adu,
    )  # fmt: skip
    bits = frame.bad[np.rint(found.y).astype(int), np.rint(found.x).astype(int)]
    return found.only((bits & np.uint8(PixelFlag.BORDER | PixelFlag.TRAIL)) == 0)


def fit_point_spread(
    prepared: Prepared,
    phot: StarPhotometry,
    apertures: Apertures,
    seeing: Seeing,
    wanted: ImageSettings,
) -> Spread | None:
    """Build the PSF and fit it to all sources, if there are any and it is wanted."""
    if wanted.psf == "none" or not len(phot.x):
        return None
    choice = choose_psf_stars(phot, apertures.main, seeing.fwhm, prepared.shape)
    psf = frame_psf(prepared, phot, choice.rows, seeing.fwhm, choice.note)
    return fit_sources(prepared, psf, (phot.x, phot.y), choice, wanted)


def gather_sources(
    prepared: Prepared,
    found: Found,
    phot: StarPhotometry,
    spread: Spread | None,
    apertures: Apertures,
    seeing: Seeing,
    settings: Settings,
) -> Sources:
    """Join what was found at first and what the PSF left over, and flag it: brightest first."""
    n_found = len(phot.x)
    crowded = _crowded_marked(phot, None, apertures).flags[:, apertures.main] & Flag.CROWDED
    notes = (seeing.note,) if seeing.note else ()
    if spread is not None:
        notes = (*notes, *(f"PSF: {note}" for note in spread.psf.notes))
        if len(spread.phot.x) > n_found:
            late = spread.phot.x[n_found:], spread.phot.y[n_found:]
            phot = _joined([phot, measure_apertures(prepared, *late, apertures, settings)])
        bit = np.where(spread.unsure, np.uint16(Flag.UNSURE), np.uint16(0))
        phot = replace(phot, flags=phot.flags | bit[:, None])
    for note in notes:
        log.info("%s", note)
    psf_phot = None if spread is None else spread.phot
    sources = Sources(
        phot=_crowded_marked(phot, psf_phot, apertures),
        found_by=np.where(np.arange(len(phot.x)) < n_found, FoundBy.SEARCH, FoundBy.RESIDUAL),
        snr=_snr(phot, apertures.main),
        significance=found.snr if spread is None else np.append(found.snr, spread.snr[n_found:]),
        matched=found.flux if spread is None else np.append(found.flux, spread.phot.flux[n_found:]),
        looks=tell_looks(prepared, found, phot, spread, seeing.fwhm),
        alone=np.append(crowded == 0, np.zeros(len(phot.x) - n_found, dtype=bool)),
        apertures=apertures,
        widths=seeing.widths,
        psf=None if spread is None else spread.psf,
        psf_stars=np.zeros(0, dtype=int) if spread is None else spread.stars,
        psf_phot=psf_phot,
        notes=notes,
    )
    return _brightest_first(sources)


def _brightest_first(sources: Sources) -> Sources:
    """Order the sources by their light."""
    light = sources.phot.flux[:, sources.apertures.main]
    if sources.psf_phot is not None:
        light = np.where(np.isfinite(light), light, sources.psf_phot.flux)
    order = np.argsort(-np.nan_to_num(light, nan=-np.inf), kind="stable")
    place = np.argsort(order, kind="stable")
    psf_phot = sources.psf_phot
    if psf_phot is not None:
        psf_phot = psf_phot.only(order)
    return replace(
        sources, phot=_rows(sources.phot, order), found_by=sources.found_by[order],
        snr=sources.snr[order], significance=sources.significance[order],
        matched=sources.matched[order], looks=sources.looks.ordered(order),
        alone=sources.alone[order],
        psf_stars=np.sort(place[sources.psf_stars]), psf_phot=psf_phot,
    )  # fmt: skip


def _rows(phot: StarPhotometry, rows: np.ndarray) -> StarPhotometry:
    return replace(phot, **{name: getattr(phot, name)[rows] for name in PER_STAR})


def _widths(prepared: Prepared) -> Widths:
    """FWHM from stars that are bright, whole and alone."""
    from scipy.spatial import cKDTree

    stars, good = prepared.stars, prepared.good
    light = np.where(good, prepared.frame.pixels - prepared.background.level, 0.0)
    gain = prepared.camera.noise.gain_e_per_adu
    variance = prepared.background.rms**2 + np.maximum(light, 0.0) / gain
    if len(stars) < 2:
        return measure_widths(light, variance, good, stars.x, stars.y, GUESS_FWHM)
    guess = float(np.median(stars.fwhm))
    xy = np.column_stack([stars.x, stars.y])
    apart = cKDTree(xy).query(xy, k=2)[0][:, 1] > 6 * guess
    whole = prepared.frame.bad[np.rint(stars.y).astype(int), np.rint(stars.x).astype(int)] == 0
    level = prepared.camera.saturation_adu
    if level is not None:
        whole &= stars.peak < 0.9 * level
    use = apart & whole
    if use.sum() < 5:
        use = whole
    return measure_widths(light, variance, good, stars.x[use], stars.y[use], max(guess, 1.2))


def measure_apertures(
    prepared: Prepared, x: np.ndarray, y: np.ndarray, apertures: Apertures, settings: Settings
) -> StarPhotometry:
    """Measure sources in all apertures, in blocks so that memory suffices."""
    frame, camera = prepared.frame, prepared.camera
    reach = int(max(apertures.annulus[1], apertures.radii[-1])) + 1
    n_blocks = max(int(np.ceil(len(x) * (2 * reach + 1) ** 2 / BLOCK_PIXELS)), 1)
    blocks = [
        measure_stars(
            frame.pixels, frame.bad, *places, apertures.radii, apertures.annulus, camera.noise,
            saturation_adu=camera.saturation_adu,
            linearity_adu=camera.linearity_adu,
            centroid=centroid_of(settings.apertures.centroid, Style.LIGHTCURVE),
            max_shift=min(
                settings.apertures.max_centroid_shift_px, 0.5 * float(apertures.radii[0])
            ),
        )
        for places in zip(np.array_split(x, n_blocks), np.array_split(y, n_blocks), strict=True)
    ]  # fmt: skip
    return _joined(blocks)


def _joined(blocks: Sequence[StarPhotometry]) -> StarPhotometry:
    if len(blocks) == 1:
        return blocks[0]
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(b, name) for b in blocks]) for name in PER_STAR
    }
    return replace(blocks[0], **columns)


def _snr(phot: StarPhotometry, main: int) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return phot.flux[:, main] / phot.flux_err[:, main]


def _crowded_marked(
    phot: StarPhotometry, psf_phot: PsfPhotometry | None, apertures: Apertures
) -> StarPhotometry:
    """Mark the apertures that another source's light reaches into, if it matters to them."""
    fwhm = float(apertures.radii[0] / apertures.multiples[0])
    # A neighbour half a FWHM outside the radius has a good part of its light in it.
    crowded = np.stack(
        [disturbed(phot, psf_phot, apertures, r + 0.5 * fwhm, CROWDED_SHARE)
         for r in apertures.radii], axis=1,
    )  # fmt: skip
    flags = phot.flags | np.where(crowded, np.uint16(Flag.CROWDED), np.uint16(0))
    return replace(phot, flags=flags)
