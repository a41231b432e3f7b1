"""What flows between the steps of one frame's story, all that it gave, and its few numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.astrometry.wcs import middle_deg
from lightcurve.catalogs.crossmatch import Matches, crossmatch
from lightcurve.catalogs.layout import Catalog, Field, Outcome, ServiceReport
from lightcurve.core.data import (
    Assumed,
    Detections,
    Frame,
    FrameStatus,
    Products,
    Solution,
    StarPhotometry,
)
from lightcurve.core.data.curves import NOTHING_WRITTEN, new_axes
from lightcurve.core.data.tabular import Tabular
from lightcurve.core.settings import Settings
from lightcurve.phot.background import Background
from lightcurve.phot.depth import Completeness, Limits, Purity
from lightcurve.phot.psf import Psf
from lightcurve.phot.psf_fit import PsfPhotometry
from lightcurve.phot.seeing import Widths
from lightcurve.phot.zero_point import ZeroPoint
from lightcurve.setup.camera import CameraValues

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["Reduced", "Standards", "summarise"]

GUESS_FWHM = 3.0  # px, where no star tells


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A frame ready to be measured."""

    frame: Frame  # calibrated, with everything bad marked
    camera: CameraValues
    background: Background
    filtered: Background  # with the noise that a filter as wide as the stars leaves
    stars: Detections  # the brightest stars, found quickly, for the plate solver
    exposure_s: float  # what magnitudes are reckoned by
    notes: tuple[str, ...]  # what was repaired, left out or assumed
    values: tuple[Assumed, ...]  # every value the measuring rests on

    @property
    def good(self) -> np.ndarray:
        """Pixels without any mark: (ny, nx) bool."""
        return self.frame.bad == 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ny, nx = self.frame.pixels.shape
        return ny, nx


@dataclass(frozen=True, slots=True, eq=False)
class Seeing:
    """Widths of the stars, the FWHM reckoned with (pixels), and a note where it is rough."""

    widths: Widths
    fwhm: float
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class Apertures:
    """Where light and sky are summed."""

    radii: np.ndarray  # (n_radius,) float array, pixels, ascending
    multiples: np.ndarray  # (n_radius,) float array, the same in FWHM
    main: int  # the radius of magnitudes and limits
    annulus: tuple[float, float]  # (float, float), pixels


@dataclass(frozen=True, slots=True, eq=False)
class Glow:
    """Light of galaxies beyond that of a star in their middle.

    light : (ny, nx) float32 array, ADU. owners : (n,) bool array, sources that it belongs to.
    """

    light: np.ndarray
    owners: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """The PSF of a frame and its fit to all sources, after which those stand that it left over.

    stars : (k,) rows of the stars it was built from; unsure : (m,) added ones that may be flaws.
    glow : on which they were fitted; it is still in the residual.
    """

    psf: Psf
    phot: PsfPhotometry
    stars: np.ndarray
    unsure: np.ndarray
    glow: Glow

    @property
    def snr(self) -> np.ndarray:
        """Flux over its error, (n,); 0 where there is none."""
        return signal_to_noise(self.phot)


def signal_to_noise(phot: PsfPhotometry) -> np.ndarray:
    """Flux by the PSF over its error, (n,); 0 where there is none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(phot.flux / phot.flux_err)


class FoundBy(StrEnum):
    """What showed a source."""

    SEARCH = "search"
    RESIDUAL = "residual"  # only after its neighbours were taken off


class Look(StrEnum):
    """What a source looks like: the column ``class``."""

    STAR = "star"
    EXTENDED = "extended"  # a galaxy, or stars too near to be told apart
    SHARP = "sharp"  # than any star: a hot pixel, a cosmic ray
    SPIKE = "spike"  # light of a brighter source: a spike, its halo, charge that bled
    UNKNOWN = "unknown"  # saturated, or no PSF was fitted


@dataclass(frozen=True, slots=True, eq=False)
class Kron:
    """Light within Kron's radius: (n,) float arrays, ADU and pixels, NaN where not extended."""

    flux: np.ndarray
    flux_err: np.ndarray
    radius: np.ndarray


NO_KRON = Kron(*(np.zeros(0) for _ in range(3)))


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What the sources look like.

    look : (n,) str array, of `Look`.
    spread, spread_err : (n,) float arrays, light beside a star's own, as a share of it.
    kron : of the extended ones; arrays of length 0 where there is none.
    """

    look: np.ndarray
    spread: np.ndarray
    spread_err: np.ndarray
    kron: Kron

    def ordered(self, order: np.ndarray) -> Looks:
        """Take the sources in another order."""
        kron = self.kron
        if len(kron.flux):
            kron = Kron(kron.flux[order], kron.flux_err[order], kron.radius[order])
        return Looks(self.look[order], self.spread[order], self.spread_err[order], kron)


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Every source of a frame and what was measured of it.

    found_by : (n,) str array, of `FoundBy`.
    alone : (n,) bool array, found by the search, and no other such source's light reaches into
        the main aperture. Calibrators are, so that zero points of apertures do not depend on a
        PSF.
    """

    phot: StarPhotometry  # in apertures, at the places of the PSF fit where there is one
    found_by: np.ndarray
    snr: np.ndarray  # (n,) float array, flux over error in the main aperture
    significance: np.ndarray  # (n,) float array, what the threshold is one of: column ``snr``
    matched: np.ndarray  # (n,) float array, ADU, the flux of that
    alone: np.ndarray
    looks: Looks
    apertures: Apertures
    widths: Widths
    psf: Psf | None
    psf_stars: np.ndarray  # (k,) int array, rows of the stars that the PSF was built from
    psf_phot: PsfPhotometry | None
    notes: tuple[str, ...]

    def __len__(self) -> int:
        """Count the sources."""
        return len(self.phot.x)

    @property
    def flags(self) -> np.ndarray:
        """Bits of the main aperture: (n,) uint16 array."""
        return self.phot.flags[:, self.apertures.main]


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Sources with places on the sky.

    solution : None when the frame could not be solved: every place is NaN then, and nothing
        matches.
    ra_deg, dec_deg : (n,) float arrays.
    error_arcsec : (n,) float array, one standard deviation in one coordinate: of the centroid,
        and of the solution.
    """

    solution: Solution | None
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    error_arcsec: np.ndarray
    notes: tuple[str, ...] = ()  # why the solution could not be refined, or how far it had been off
    unsolved: str = ""  # why there is no solution; empty when there is one

    @property
    def scale_arcsec(self) -> float:
        """Arc seconds per pixel; NaN without a solution."""
        return float("nan") if self.solution is None else self.solution.scale_arcsec

    def centre_deg(self, shape: tuple[int, int]) -> tuple[float, float]:
        """RA and Dec of the middle of a frame of (ny, nx) pixels; NaN without a solution."""
        return (
            (float("nan"), float("nan"))
            if self.solution is None
            else middle_deg(self.solution.wcs, shape)
        )

    def only(self, rows: np.ndarray) -> Placed:
        """Keep some of the sources."""
        columns = ("ra_deg", "dec_deg", "error_arcsec")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def match(self, catalog: Catalog) -> Matches:
        """Pair the sources with a catalogue's objects within the errors of both."""
        return crossmatch(
            (self.ra_deg, self.dec_deg, self.error_arcsec),
            (catalog.ra_deg, catalog.dec_deg, catalog.error_arcsec),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of a field."""

    catalogs: dict[str, Catalog]  # those given by hand first
    reports: tuple[ServiceReport, ...]  # what became of each question
    by_hand: tuple[str, ...]  # names of the catalogues given by hand

    def notes(self) -> list[str]:
        """Tell what failed; the reports have the rest."""
        return [f"{r.title}: {r.reason}" for r in self.reports if r.status == Outcome.FAILED]


@dataclass(frozen=True, slots=True, eq=False)
class OnSky:
    """What the sky tells of a frame."""

    placed: Placed  # nowhere when the frame could not be solved; nothing else is known then
    known: Known
    field: Field | None  # what the catalogues were asked about
    notes: tuple[str, ...]  # what was assumed, or why the frame is not solved


@dataclass(frozen=True, slots=True, eq=False)
class Standards:
    """Stars of known magnitudes; mag, mag_err, colour: (n,) float arrays."""

    catalog: Catalog
    band: str  # for people: ``"V (Johnson, Vega)"``
    mag: np.ndarray
    mag_err: np.ndarray
    colour: np.ndarray
    colour_name: str
    reasons: np.ndarray  # (n,) str array, why a star does not serve; empty where it does
    notes: tuple[str, ...]
    formula: str = ""  # by which the magnitudes were made of those of other bands; else empty
    near: bool = False  # of another band than the filter's, the nearest there is


@dataclass(frozen=True, slots=True, eq=False)
class Magnitudes:
    """One kind of flux as magnitudes.

    inst, inst_err : (n,) float arrays, ``-2.5 log10(ADU / s)`` and its error.
    mag, err : (n,) float arrays, calibrated; NaN without a zero point. The error has that of
        the zero point in it.
    """

    name: str  # ``"aperture_1_3"`` (1.3 FWHM) ... or ``"psf"``
    text: str  # the same for people
    inst: np.ndarray
    inst_err: np.ndarray
    zero_point: ZeroPoint | None  # None when it could not be fitted
    mag: np.ndarray
    err: np.ndarray
    by_psf: bool = False

    @property
    def shown(self) -> np.ndarray:
        """Calibrated magnitudes, or instrumental ones where there is no zero point."""
        return self.inst if self.zero_point is None else self.mag

    @property
    def shown_err(self) -> np.ndarray:
        """Their errors."""
        return self.inst_err if self.zero_point is None else self.err


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A frame's magnitudes and how faint it reaches.

    rows, stars : (m,) int arrays, sources that are matched to standards, and which.
    extinction_mag : of the zero point, to be added for one above the atmosphere; 0 when not
        asked for.
    """

    kinds: tuple[Magnitudes, ...]  # the apertures, ascending, then the PSF
    main: int  # the aperture that speaks for the frame
    standards: Standards | None
    rows: np.ndarray
    stars: np.ndarray
    serves: np.ndarray  # (m,) bool array, whether such a pair may calibrate
    limits: Limits  # in the magnitudes of `band`
    completeness: Completeness | None  # in the same; None when no stars were to be put in
    purity: Purity
    airmass: float  # NaN when time or site is not known
    extinction_mag: float
    notes: tuple[str, ...] = ()

    @property
    def aperture(self) -> Magnitudes:
        """Magnitudes in the main aperture."""
        return self.kinds[self.main]

    @property
    def psf(self) -> Magnitudes | None:
        """Magnitudes by the PSF, if there was one."""
        return self.kinds[-1] if self.kinds[-1].by_psf else None

    @property
    def band(self) -> str:
        """What magnitudes are in; ``"instrumental"`` without a zero point."""
        if self.standards is None or self.aperture.zero_point is None:
            return "instrumental"
        return self.standards.band


@dataclass(frozen=True, slots=True)
class Candidate:
    """A source that no catalogue explains."""

    row: int  # of the source
    score: float  # signal-to-noise ratio, times the likeness to a star; candidates are ranked by it
    reason: str  # why it is one


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for transients gave."""

    candidates: tuple[Candidate, ...]  # the best first, at most 20
    vetoes: Mapping[str, int]  # why how many sources are none
    note: str = ""  # why there was no search; empty when there was


@dataclass(frozen=True, slots=True, eq=False)
class Reduced(Tabular):
    """One frame, reduced.

    Attributes
    ----------
    pairs : dict of str to Matches
        Of the sources with each known catalogue.
    table : astropy.table.Table
        The catalogue.
    assumed : tuple of str
        What was assumed of time and filter, or why the frame is not solved.
    products : Products
        Empty until they are written.
    """

    prepared: Prepared
    sources: Sources
    placed: Placed
    known: Known
    pairs: dict[str, Matches]
    calibrated: Calibrated
    transients: Search
    table: Table
    settings: Settings
    assumed: tuple[str, ...] = ()
    products: Products = NOTHING_WRITTEN

    def to_table(self) -> Table:
        """Give the catalogue: a row a source, columns with units and descriptions."""
        return self.table

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the frame with its sources, on axes given or new."""
        ax = new_axes() if ax is None else ax
        pixels = self.prepared.frame.pixels
        low, high = np.nanpercentile(pixels, (5, 99.5))
        ax.imshow(pixels, origin="lower", cmap="gray_r", vmin=low, vmax=high)
        ax.scatter(self.table["x"], self.table["y"], s=30, facecolors="none", edgecolors="C1")
        ax.set_xlabel("x, pixels")
        ax.set_ylabel("y, pixels")
        return ax

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything worth a warning, once."""
        parts = (
            *self.assumed, *self.prepared.notes, *self.sources.notes, *self.placed.notes,
            *self.known.notes(), *self.calibrated.notes,
        )  # fmt: skip
        return tuple(dict.fromkeys(parts))

    @property
    def scale_arcsec(self) -> float:
        """Arc seconds per pixel: of the solution, else of the header; NaN where neither has it."""
        of_header = self.prepared.frame.exposure.scale_arcsec
        return self.placed.scale_arcsec if self.placed.solution else of_header or float("nan")


def summarise(reduced: Reduced) -> Mapping[str, Any]:
    """Collect the numbers worth printing, and a row of the table of many frames.

    By name, the unit in it: `fwhm_px`, `zero_point_mag` (None without one) ...
    """
    prepared, sources = reduced.prepared, reduced.sources
    exposure, widths, placed = prepared.frame.exposure, sources.widths, reduced.placed
    return {
        "file": prepared.frame.path.name,
        "status": str(FrameStatus.NOT_SOLVED if placed.unsolved else FrameStatus.REDUCED),
        "reason": placed.unsolved,
        "mid_jd_utc": exposure.mid_jd_utc,
        "exposure_s": prepared.exposure_s,
        "filter": exposure.filter,
        **_place(placed, prepared.frame.pixels.shape),
        "scale_arcsec": reduced.scale_arcsec,
        "sources": len(sources),
        "fwhm_px": widths.fwhm,
        "fwhm_arcsec": widths.fwhm * reduced.scale_arcsec,
        "fwhm_err_px": widths.fwhm_err,
        "ellipticity": widths.ellipticity,
        "long_axis_deg": widths.angle_deg,
        "sky_adu": _median(prepared.background.level),
        "sky_rms_adu": _median(prepared.background.rms),
        **_brightness(reduced.calibrated),
        "candidates": len(reduced.transients.candidates),
        "psf": sources.psf.kind if sources.psf is not None else "none",
        "psf_order": None if sources.psf is None else sources.psf.order,
        "psf_error": None if sources.psf is None else sources.psf.error,
        "failed_services": [r.name for r in reduced.known.reports if r.status == Outcome.FAILED],
    }


def _place(placed: Placed, shape: tuple[int, int]) -> dict[str, Any]:
    """Where the frame is and how well that is known; NaN and 0 stars where it is not."""
    ra, dec = placed.centre_deg(shape)
    solution = placed.solution
    rms = float("nan") if solution is None else solution.rms_arcsec / solution.scale_arcsec
    return {
        "ra_deg": ra,
        "dec_deg": dec,
        "astrometry_stars": 0 if solution is None else solution.n_matched,
        "astrometry_rms_px": rms,
    }


def _brightness(calibrated: Calibrated) -> dict[str, Any]:
    """Zero points and limits; instrumental limits are there without a zero point, too."""
    standards, zero = calibrated.standards, calibrated.aperture.zero_point
    psf_zero = calibrated.psf.zero_point if calibrated.psf is not None else None
    found = calibrated.completeness
    depths = {f"limit_{one.snr:g}_sigma": one.measured for one in calibrated.limits.limits}
    depths["completeness_50"] = float("nan") if found is None else found.magnitude_at(0.5)
    in_band = 0.0 if zero else float("nan")
    return {
        "purity": calibrated.purity.share,
        "band": standards.band if standards else None,
        "standards": standards.catalog.title if standards else None,
        "matched_standards": len(calibrated.rows),
        "zero_point_mag": zero.value if zero else None,
        "zero_point_err_mag": zero.err if zero else None,
        "zero_point_scatter_mag": zero.scatter if zero else None,
        "zero_point_stars": zero.n_used if zero else 0,
        "psf_zero_point_mag": psf_zero.value if psf_zero else None,
        "zero_point_no_air_mag": _above_air(calibrated),
        "airmass": calibrated.airmass,
        **{f"{name}_mag": mag + in_band for name, mag in depths.items()},
        **{f"{name}_inst_mag": mag - (zero.value if zero else 0.0) for name, mag in depths.items()},
    }


def _above_air(calibrated: Calibrated) -> float | None:
    zero = calibrated.aperture.zero_point
    if zero is None or not calibrated.extinction_mag:
        return None
    return zero.value + calibrated.extinction_mag


def _median(pixels: np.ndarray) -> float:
    return float(np.median(pixels))
