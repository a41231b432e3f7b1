"""The figures of one frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

import numpy as np

from lightcurve.core.data import Figures
from lightcurve.core.errors import InputError
from lightcurve.core.flags import Flag
from lightcurve.core.processes import divide, ready_with
from lightcurve.core.table_text import printable
from lightcurve.image.psf import shape_maps
from lightcurve.image.reduced import FoundBy, Magnitudes, Reduced
from lightcurve.image.templates import ask_templates
from lightcurve.report.image_maps import (
    save_background,
    save_cutouts,
    save_frame,
    save_psf,
    save_psf_maps,
)
from lightcurve.report.image_plots import (
    ZeroPointPoints,
    save_completeness,
    save_kinds_compared,
    save_magnitudes,
    save_widths,
    save_zero_point,
)


class Part(StrEnum):
    """A part of the page that shows figures, by its title."""

    SOURCES = "Background, widths, PSF"
    ZERO_POINT = "Zero point"
    MAGNITUDES = "Magnitudes"
    CANDIDATES = "Candidate transients"


# Every figure there may be, and its part of the page, which has a picture of the frame itself.
FIGURES: Mapping[str, Part | None] = {
    "image": None,
    "background": Part.SOURCES,
    "fwhm": Part.SOURCES,
    "psf": Part.SOURCES,
    "psf_maps": Part.SOURCES,
    "zero_point_*": Part.ZERO_POINT,
    "magnitudes": Part.MAGNITUDES,
    "aperture_psf": Part.MAGNITUDES,
    "completeness": Part.MAGNITUDES,
    "candidates": Part.CANDIDATES,
}
CUT_PX = 12  # half a cut-out
DRAWN_BY = "lightcurve.report.image_maps"  # the slowest of what draws them
MAX_SENT = 20_000_000  # pixels of a frame: of more, to send it takes as long as to draw it
SURE_MAG = 0.1
SHOWN_FWHM = 8.0  # half the part of the frame shown before and after


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A figure to be drawn, with all that goes into it: a process may be sent it."""

    path: Path
    caption: str
    save: Callable[[Path], Path]

    def __str__(self) -> str:
        """Name it."""
        return self.path.name


def write_figures(folder: Path, reduced: Reduced) -> dict[Path, str]:
    """Draw every figure that is wanted and that there is something for.

    folder: made if it is not there. Returns captions by file. Raises InputError when one cannot be
    written.
    """
    wanted = reduced.settings.figures
    if wanted == Figures.NONE:
        return {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made: {error.strerror}; choose another --out"
        raise InputError(msg) from error
    drawings = [*_image(folder / "image.png", reduced)] if wanted == Figures.ALL else []
    drawings += [*_of_sources(folder, reduced), *_of_magnitudes(folder, reduced)]
    drawings += candidates_figure(folder / "candidates.png", reduced)
    small = reduced.prepared.frame.pixels.size <= MAX_SENT
    n = ready_with(DRAWN_BY, reduced.settings.workers) if small else 1
    for _ in divide(drawings, _draw, n):
        pass
    return {one.path: one.caption for one in drawings}


def _draw(one: Drawing) -> Path:
    return one.save(one.path)


def part_of(figure: Path) -> Part | None:
    """Tell where on the page a figure stands; one that `FIGURES` lacks is the program's mistake."""
    part = [part for name, part in FIGURES.items() if fnmatch(figure.stem, name)]
    if not part:
        msg = f"{figure.name} is not among the figures that are shown and cleared"
        raise ValueError(msg)
    return part[0]


def source_kinds(reduced: Reduced) -> np.ndarray:
    """Sort the sources for pictures.

    Returns (n,) str array, ``"candidate"``, ``"calibrating"``, ``"residual"`` or ``"source"``.
    """
    kinds = np.where(reduced.sources.found_by == FoundBy.RESIDUAL, "residual", "source").astype(
        "U12"
    )
    kinds[np.asarray(reduced.table["calib_star"])] = "calibrating"
    kinds[[candidate.row for candidate in reduced.transients.candidates]] = "candidate"
    return kinds


def _image(path: Path, reduced: Reduced) -> Iterator[Drawing]:
    frame, apertures = reduced.prepared.frame, reduced.sources.apertures
    x, y = (np.asarray(reduced.table[name]) for name in ("x", "y"))
    kinds = source_kinds(reduced)
    names = {
        "source": "source", "residual": "seen in the residual", "calibrating": "calibrating",
        "candidate": "candidate",
    }  # fmt: skip
    groups = {text: (x[kinds == kind], y[kinds == kind]) for kind, text in names.items()}
    save = partial(
        save_frame, pixels=frame.pixels, groups=groups,
        radius=float(apertures.radii[apertures.main]),
        solution=reduced.placed.solution,
        # Between dollars a figure would see a formula.
        title=printable(frame.path.name).replace("$", r"\$"),
    )  # fmt: skip
    text = "The frame with its sources, stretched so that faint and bright ones show."
    yield Drawing(path, text, save)


def _of_sources(folder: Path, reduced: Reduced) -> Iterator[Drawing]:
    yield from _background(folder / "background.png", reduced)
    yield from _widths(folder / "fwhm.png", reduced)
    yield from _psf(folder / "psf.png", reduced)
    yield from _psf_maps(folder / "psf_maps.png", reduced)


def _background(path: Path, reduced: Reduced) -> Iterator[Drawing]:
    prepared, background = reduced.prepared, reduced.prepared.background
    save = partial(
        save_background, pixels=prepared.frame.pixels, level=background.level,
        rms=background.rms, sources=background.sources | ~prepared.good,
    )  # fmt: skip
    text = "The background and its noise, and whether blank pixels scatter as that noise says."
    yield Drawing(path, text, save)


def _widths(path: Path, reduced: Reduced) -> Iterator[Drawing]:
    widths = reduced.sources.widths
    if np.isfinite(widths.fwhm):
        save = partial(
            save_widths, widths=widths.stars.fwhm, used=widths.used, fwhm=widths.fwhm,
            fwhm_err=widths.fwhm_err, scale_arcsec=reduced.scale_arcsec,
        )  # fmt: skip
        text = "FWHM of single stars, by Moffat profiles, before pixels spread it."
        yield Drawing(path, text, save)


def _psf(path: Path, reduced: Reduced) -> Iterator[Drawing]:
    psf, fit = reduced.sources.psf, reduced.sources.psf_phot
    if psf is None or fit is None:
        return
    radius = np.linspace(0, psf.half_px - 1, 60)
    middle = len(psf.grid) // 2
    along = np.arange(-middle, middle + 1) / psf.oversampling
    distance = np.hypot(*np.meshgrid(along, along))
    place = np.clip(np.digitize(distance.ravel(), radius + radius[1] / 2), 0, len(radius) - 1)
    count = np.maximum(np.bincount(place, minlength=len(radius)), 1)
    light = np.bincount(place, psf.grid.ravel(), minlength=len(radius)) / count
    profile = np.where(light > 0, light, np.nan)
    curves = {
        "profile": (radius, profile),
        "growth": (radius, np.array([psf.enclosed(float(r)) for r in radius])),
    }
    frame, background = reduced.prepared.frame, reduced.prepared.background
    part = _brightest_part(reduced)
    before = (frame.pixels - background.level)[part]
    kind = "Effective PSF" if psf.kind == "epsf" else "Analytic (Moffat) PSF"
    title = (
        f"{kind} from {psf.n_stars} of {len(reduced.sources.psf_stars)} stars chosen, "
        f"FWHM {psf.fwhm:.2f} px before the pixel spreads it"
    )
    save = partial(
        save_psf, psf=(psf.grid, psf.oversampling), curves=curves,
        residual=(before, fit.residual[part]), title=title,
    )  # fmt: skip
    text = f"{title}, and what is left when every star is taken off by it."
    yield Drawing(path, text, save)


def _psf_maps(path: Path, reduced: Reduced) -> Iterator[Drawing]:
    """Draw how the PSF changes over the field, where there is evidence that it does."""
    psf = reduced.sources.psf
    if psf is None or not psf.order:
        return
    shape = reduced.prepared.shape
    maps = shape_maps(psf, shape)
    low, high = maps["FWHM"].min(), maps["FWHM"].max()
    text = (
        f"The PSF over the field: FWHM {low:.2f} to {high:.2f} px, ellipticity up to "
        f"{maps['ELLIP'].max():.2f}; strokes lie along the long axis, as long as it is elliptical."
    )
    ellipse = maps["ELLIP"], maps["ANGLE"]
    save = partial(save_psf_maps, fwhm=maps["FWHM"], ellipse=ellipse, shape=shape)
    yield Drawing(path, text, save)


def _brightest_part(reduced: Reduced) -> tuple[slice, slice]:
    """Cut the part around the brightest star of the PSF that is fitted as well as most."""
    sources, chosen = reduced.sources, 0
    if len(sources.psf_stars) and sources.psf_phot is not None:
        chi2 = sources.psf_phot.chi2[sources.psf_stars]
        chosen = sources.psf_stars[np.argmax(chi2 <= 1.5 * np.nanmedian(chi2))]
    ny, nx = reduced.prepared.frame.pixels.shape
    x, y = sources.phot.x[chosen], sources.phot.y[chosen]
    half = 10 if sources.psf is None else int(np.ceil(SHOWN_FWHM * sources.psf.fwhm))
    left = int(np.clip(x - half, 0, max(nx - 2 * half, 0)))
    low = int(np.clip(y - half, 0, max(ny - 2 * half, 0)))
    return slice(low, low + 2 * half + 1), slice(left, left + 2 * half + 1)


def _zero_point(path: Path, reduced: Reduced, kind: Magnitudes) -> Iterator[Drawing]:
    calibrated, zero = reduced.calibrated, kind.zero_point
    standards = calibrated.standards
    if standards is None or zero is None:
        return
    rows, stars = calibrated.rows[calibrated.serves], calibrated.stars[calibrated.serves]
    points = ZeroPointPoints(
        catalog=standards.mag[stars],
        found=kind.mag[rows],
        sigma=zero.sigma,
        colour=standards.colour[stars],
        used=zero.used,
        band=standards.band,
        colour_name=standards.colour_name,
        text=f"{kind.text}: zero point {zero.value:.3f} \N{PLUS-MINUS SIGN} {zero.err:.3f}",
    )
    term = ""
    if zero.colour_term:
        term = (
            f" Colour term {zero.colour_term:+.3f} \N{PLUS-MINUS SIGN} {zero.colour_term_err:.3f} "
            f"per magnitude of {standards.colour_name}."
        )
    text = (
        f"Zero point of the {kind.text}: {zero.n_used} stars, scatter {zero.scatter:.3f} mag, of "
        f"which {zero.intrinsic:.3f} beyond the stated errors.{term}"
    )
    yield Drawing(path, text, partial(save_zero_point, points=points))


def _of_magnitudes(folder: Path, reduced: Reduced) -> Iterator[Drawing]:
    for kind in (reduced.calibrated.aperture, reduced.calibrated.psf):
        if kind is not None:
            yield from _zero_point(folder / f"zero_point_{kind.name}.png", reduced, kind)
    yield from _magnitudes(folder, reduced)


def _magnitudes(folder: Path, reduced: Reduced) -> Iterator[Drawing]:
    calibrated = reduced.calibrated
    aperture, psf, band = calibrated.aperture, calibrated.psf, calibrated.band
    limits = {one.snr: one.measured for one in calibrated.limits.limits}
    kinds = [aperture]
    if psf is not None and (psf.zero_point is None) == (aperture.zero_point is None):
        kinds.append(psf)
    if not any(np.isfinite(kind.shown).any() for kind in kinds):
        return
    shown = {kind.text: (kind.shown, kind.inst_err) for kind in kinds}
    text = "Magnitudes and their errors; diamonds: limits measured in blank apertures."
    save = partial(save_magnitudes, kinds=shown, band=band, limits=limits)
    yield Drawing(folder / "magnitudes.png", text, save)
    if len(kinds) > 1:
        yield from _kinds_compared(folder / "aperture_psf.png", reduced, *kinds)
    yield from _completeness(folder / "completeness.png", reduced)


def _kinds_compared(
    path: Path, reduced: Reduced, aperture: Magnitudes, psf: Magnitudes
) -> Iterator[Drawing]:
    difference = aperture.shown - psf.shown
    error = np.hypot(aperture.inst_err, psf.inst_err)
    error[(reduced.sources.flags & Flag.SATURATED) != 0] = np.nan
    sure = error < SURE_MAG
    if not np.isfinite(difference[sure]).any():
        return
    text = "Aperture less PSF magnitude: what neighbours add to an aperture shows."
    if aperture.zero_point is None:
        # Without zero points the aperture lacks the light beyond it.
        lost = float(np.nanmedian(difference[sure]))
        difference = difference - lost
        text += f" The median, {lost:.3f} mag beyond the aperture, is taken off."
    save = partial(
        save_kinds_compared, mag=psf.shown, difference=difference, error=error,
        band=reduced.calibrated.band,
    )  # fmt: skip
    yield Drawing(path, text, save)


def _completeness(path: Path, reduced: Reduced) -> Iterator[Drawing]:
    calibrated = reduced.calibrated
    found, purity = calibrated.completeness, calibrated.purity.curve()
    put_in = found is not None and len(found.mag) > 0
    if found is None or not (put_in or len(purity[0])):
        return
    save = partial(
        save_completeness, curve=found.curve(), purity=purity,
        half=found.magnitude_at(0.5) if put_in else float("nan"),
        limits={one.snr: one.measured for one in calibrated.limits.limits},
        n=len(found.mag), band=calibrated.band,
    )  # fmt: skip
    text = (
        "Completeness: share of the stars put into the frame that was found. Purity: share "
        f"of the sources that is no noise, by what the search finds in the frame's negative "
        f"({len(calibrated.purity.false)} beside {len(calibrated.purity.mag)} in the frame)."
    )
    yield Drawing(path, text, save)


def candidates_figure(path: Path, reduced: Reduced) -> Iterator[Drawing]:
    """Draw the candidates cut out of the frame, the residual and, where there is one, a survey."""
    candidates = reduced.transients.candidates
    if not candidates:
        return
    frame = reduced.prepared.frame.pixels
    fit = reduced.sources.psf_phot
    rest = frame if fit is None else fit.residual
    seen = ask_templates(reduced, CUT_PX)
    cuts = []
    for one in candidates:
        x, y = (int(np.rint(reduced.table[name][one.row])) for name in ("x", "y"))
        number = reduced.table["id"][one.row]
        name = f"{number}: {reduced.calibrated.aperture.shown[one.row]:.2f} mag"
        survey = [seen[one.row].pixels] if one.row in seen else []
        cuts.append((name, [_cut(frame, x, y), _cut(rest, x, y), *survey]))
    surveys = ", ".join(dict.fromkeys(cutout.title for cutout in seen.values()))
    third = f", and what a survey saw there ({surveys})" if surveys else ""
    text = f"Candidates by rank: the frame, what is left without its stars{third}."
    yield Drawing(path, text, partial(save_cutouts, cutouts=cuts))


def _cut(image: np.ndarray, x: int, y: int) -> np.ndarray:
    """Cut a square around a pixel, NaN beyond the edges."""
    ny, nx = image.shape
    cut = np.full((2 * CUT_PX + 1, 2 * CUT_PX + 1), np.nan)
    low, left = y - CUT_PX, x - CUT_PX
    rows = slice(max(low, 0), min(low + len(cut), ny))
    columns = slice(max(left, 0), min(left + len(cut), nx))
    cut[rows.start - low : rows.stop - low, columns.start - left : columns.stop - left] = image[
        rows, columns
    ]
    return cut
