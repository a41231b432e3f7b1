"""What flows between the steps of one image's story: frozen, and made by one step each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.astrometry.wcs import middle_deg
from lightcurve.camera import CameraValues
from lightcurve.catalogs.crossmatch import Matches, crossmatch
from lightcurve.catalogs.service import Catalog, Field, ServiceReport
from lightcurve.config import Settings
from lightcurve.data import Assumed, Detections, Frame, Products, Solution, StarPhotometry
from lightcurve.data.curves import NOTHING_WRITTEN, new_axes
from lightcurve.data.tabular import Tabular
from lightcurve.phot.completeness import Completeness
from lightcurve.phot.limits import Limits
from lightcurve.phot.mesh import Background
from lightcurve.phot.psf import Psf
from lightcurve.phot.psf_fit import PsfPhotometry
from lightcurve.phot.widths import Widths
from lightcurve.phot.zeropoint import ZeroPoint

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A frame ready to be measured.

    Attributes
    ----------
    frame : Frame
        Calibrated, with everything bad marked.
    stars : Detections
        The brightest stars, found quickly, for the plate solver.
    exposure_s : float
        What magnitudes are reckoned by.
    notes : tuple of str
        What was repaired, left out or assumed.
    values : tuple of Assumed
        Every value the measuring rests on.
    """

    frame: Frame
    camera: CameraValues
    background: Background
    stars: Detections
    exposure_s: float
    notes: tuple[str, ...]
    values: tuple[Assumed, ...]

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
    """Where light and sky are summed.

    Attributes
    ----------
    radii : (n_radius,) float array
        Pixels, ascending.
    multiples : (n_radius,) float array
        The same in FWHM.
    main : int
        The radius of magnitudes and limits.
    annulus : (float, float)
        Pixels.
    """

    radii: np.ndarray
    multiples: np.ndarray
    main: int
    annulus: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """The PSF of a frame and its fit to all sources, after which those stand that it left over.

    stars : (k,) rows of the stars it was built from; unsure : (m,) added ones that may be flaws.
    """

    psf: Psf
    phot: PsfPhotometry
    stars: np.ndarray
    unsure: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Every source of a frame and what was measured of it.

    Attributes
    ----------
    phot : StarPhotometry
        In apertures, at the places of the PSF fit where there is one.
    found_by : (n,) str array
        ``"search"``, or ``"residual"`` when it showed only after its neighbours were taken off.
    snr : (n,) float array
        Flux over error in the main aperture.
    alone : (n,) bool array
        Found by the search, and no other such source's light reaches into the main aperture.
        Calibrators are, so that zero points of apertures do not depend on a PSF.
    psf_stars : (k,) int array
        Rows of the stars that the PSF was built from.
    """

    phot: StarPhotometry
    found_by: np.ndarray
    snr: np.ndarray
    alone: np.ndarray
    apertures: Apertures
    widths: Widths
    psf: Psf | None
    psf_stars: np.ndarray
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

    Attributes
    ----------
    solution : Solution or None
        None when the frame could not be solved: every place is NaN then, and nothing matches.
    ra_deg, dec_deg : (n,) float arrays
    error_arcsec : (n,) float array
        One standard deviation in one coordinate: of the centroid, and of the solution.
    notes : tuple of str
        Why the solution could not be refined, or how far it had been off.
    unsolved : str
        Why there is no solution; empty when there is one.
    """

    solution: Solution | None
    ra_deg: np.ndarray
    dec_deg: np.ndarray
    error_arcsec: np.ndarray
    notes: tuple[str, ...] = ()
    unsolved: str = ""

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
    """What is known of a field.

    Attributes
    ----------
    catalogs : dict of str to Catalog
        Those given by hand first.
    reports : tuple of ServiceReport
        What became of each question.
    by_hand : tuple of str
        Names of the catalogues given by hand.
    """

    catalogs: dict[str, Catalog]
    reports: tuple[ServiceReport, ...]
    by_hand: tuple[str, ...]

    def notes(self) -> list[str]:
        """Tell what failed; the reports have the rest."""
        return [f"{r.title}: {r.reason}" for r in self.reports if r.status == "failed"]


@dataclass(frozen=True, slots=True, eq=False)
class OnSky:
    """What the sky tells of a frame.

    Attributes
    ----------
    placed : Placed
        Nowhere when the frame could not be solved; nothing else is known then.
    field : Field or None
        What the catalogues were asked about.
    notes : tuple of str
        What was assumed, or why the frame is not solved.
    """

    placed: Placed
    known: Known
    field: Field | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Standards:
    """Stars of known magnitudes.

    Attributes
    ----------
    band : str
        For people: ``"V (Johnson, Vega)"``.
    mag, mag_err, colour : (n,) float arrays
    reasons : (n,) str array
        Why a star does not serve; empty where it does.
    """

    catalog: Catalog
    band: str
    mag: np.ndarray
    mag_err: np.ndarray
    colour: np.ndarray
    colour_name: str
    reasons: np.ndarray
    notes: tuple[str, ...]


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

    Attributes
    ----------
    kinds : tuple of Magnitudes
        The apertures, ascending, then the PSF.
    main : int
        The aperture that speaks for the frame.
    rows, stars : (m,) int arrays
        Sources that are matched to standards, and which.
    serves : (m,) bool array
        Whether such a pair may calibrate.
    limits : Limits
        In the magnitudes of `band`.
    completeness : Completeness or None
        In the same; None when no stars were to be put in.
    airmass : float
        NaN when time or site is not known.
    extinction_mag : float
        Of the zero point, to be added for one above the atmosphere; 0 when not asked for.
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

    @property
    def band(self) -> str:
        """What magnitudes are in; ``"instrumental"`` without a zero point."""
        if self.standards is None or self.aperture.zero_point is None:
            return "instrumental"
        return self.standards.band


@dataclass(frozen=True, slots=True)
class Candidate:
    """A source that no catalogue explains.

    Attributes
    ----------
    row : int
        Of the source.
    score : float
        Signal-to-noise ratio, times the likeness to a star; candidates are ranked by it.
    reason : str
        Why it is one.
    """

    row: int
    score: float
    reason: str


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for transients gave.

    Attributes
    ----------
    candidates : tuple of Candidate
        The best first, at most 20.
    vetoes : mapping of str to int
        Why how many sources are none.
    note : str
        Why there was no search; empty when there was.
    """

    candidates: tuple[Candidate, ...]
    vetoes: Mapping[str, int]
    note: str = ""


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
