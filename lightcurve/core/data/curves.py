"""Light curves, planets and their transits, and what a run leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.data.tabular import Tabular, laid_out
from lightcurve.core.data.verdicts import CheckVerdict, Note, Verdict
from lightcurve.core.errors import InputError
from lightcurve.core.registry import registry_of

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

    from lightcurve.core.data.stars import StarRole

__all__ = ["NOTHING_WRITTEN", "new_axes", "plot_fitted"]


def new_axes() -> Axes:
    """Axes of a figure of their own, known to pyplot, for whoever draws at a prompt."""
    import matplotlib.pyplot as plt

    axes: Axes = plt.figure(layout="constrained").add_subplot()
    return axes


class ApertureKind(StrEnum):
    """How an aperture's radius follows from its number."""

    FIXED = "fixed"
    FWHM = "fwhm"
    WIDTH = "width"  # the one that was measured following the seeing


_APERTURE_UNITS = {
    ApertureKind.FIXED: "px",
    ApertureKind.FWHM: "FWHM",
    ApertureKind.WIDTH: "x the stars' mean width",
}


@dataclass(frozen=True, slots=True)
class Aperture:
    """A rule for the radius.

    Attributes
    ----------
    value : float
        Pixels, or multiples of each frame's FWHM or mean width.
    """

    kind: ApertureKind
    value: float

    def __str__(self) -> str:
        """Say the rule in words."""
        return f"{self.value:g} {self.unit}"

    @property
    def unit(self) -> str:
        """What the value counts."""
        return _APERTURE_UNITS[self.kind]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a light curve of a night is made by, as far as somebody may choose it.

    Attributes
    ----------
    rows : tuple of int
        Comparison stars, rows of the plan.
    aperture : int
        Which of the apertures that the night offers, in their order.
    weighting : str
        Of the comparison stars.
    covariates : tuple of str
        What the flux is detrended by.
    excluded : tuple of str
        Files whose points are left out.
    """

    rows: tuple[int, ...]
    aperture: int
    weighting: str
    covariates: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


class Criterion(Enum):
    """What the target's scatter was measured by when a curve was chosen."""

    OUTSIDE = "points outside the predicted transit"
    NEIGHBOURS = "differences of neighbouring points"


@dataclass(frozen=True, slots=True, eq=False)
class CurveRecipe:
    """How a light curve was made of measurements; stars are rows of their plan.

    Attributes
    ----------
    radius_per_frame_px : (n_frame,) float array
    weighting : str
        Of the comparison stars.
    weights, star_scatter : tuple of float
        Of each comparison star: its share, and its relative scatter against the others.
    roles : mapping of int to (str, str)
        Row to the role and its reason, for `lightcurve.curve.plan.revise_plan`.
    target_scatter : float
        Relative, by the criterion.
    normalised : str
        What became 1.
    saturation_adu : float or None
        Level at which peaks were found to be clipped.
    check_verdict : CheckVerdict
        How the check star behaves, or why there is none.
    check_flux : (n_frame,) float array or None
        Its relative flux as it was judged, where what its places on the chip do was taken off.
    excluded : tuple of str
        Files whose points were left out by hand.
    """

    aperture: Aperture
    radius_per_frame_px: np.ndarray
    weighting: str
    comparison_rows: tuple[int, ...]
    weights: tuple[float, ...]
    star_scatter: tuple[float, ...]
    check_row: int | None
    roles: Mapping[int, tuple[StarRole, str]]
    criterion: Criterion
    target_scatter: float
    normalised: str
    saturation_adu: float | None
    check_verdict: CheckVerdict
    check_flux: np.ndarray | None = None
    excluded: tuple[str, ...] = ()

    @property
    def radius_px(self) -> float:
        """Median radius of the night."""
        return float(np.median(self.radius_per_frame_px))

    @property
    def check(self) -> str | None:
        """Name of the check star."""
        return None if self.check_row is None else f"K{self.check_row + 1}"


@dataclass(frozen=True, slots=True)
class Dilution:
    """How much of the light in an aperture is the target's: 1 where no other star's is in it.

    Attributes
    ----------
    value, err : float
        The share, and its error.
    source : str
        What told it, and whose the other light is.
    change : float
        Of the share over the night, relative: by so much the curve follows the seeing.
    """

    value: float
    err: float
    source: str
    change: float = 0.0


@dataclass(frozen=True, slots=True)
class CurveSource:
    """The table that a light curve was read from.

    Attributes
    ----------
    table : str
        Name of the file.
    time_column, flux_column : str
        What was read; empty in our own tables.
    exposure_s : float or None
        Median, where the table tells.
    notes : tuple of Note
        What was assumed of it.
    filter : str
        Where the table tells; empty else.
    """

    table: str
    time_column: str = ""
    flux_column: str = ""
    exposure_s: float | None = None
    notes: tuple[Note, ...] = ()
    filter: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class StarCurves:
    """Curves of other stars of the field, each against the rest: what a quiet star does there.

    Attributes
    ----------
    names : tuple of str
        C and K with the number in the plan: comparison stars, and the check star.
    flux, flux_err : (n_frame, n_star) float arrays
        Relative, of median 1; NaN where a star was not measured.
    """

    names: tuple[str, ...]
    flux: np.ndarray
    flux_err: np.ndarray

    def at(self, frames: np.ndarray) -> StarCurves:
        """Take some frames, (n,) bool or int array."""
        return StarCurves(self.names, self.flux[frames], self.flux_err[frames])


@dataclass(frozen=True, slots=True, eq=False)
class LightCurve(Tabular):
    """Relative flux of the target, one point a frame.

    Attributes
    ----------
    file : (n,) str array
    jd_utc, bjd_tdb : (n,) float arrays
        Mid-exposure.
    flux, flux_err : (n,) float arrays
        Target over ensemble, median 1 out of transit; NaN where it could not be formed.
    target_flux, comparison_flux : (n,) float arrays
        ADU; the ensemble's is the weighted sum.
    flags : (n,) uint16 array
    covariates : mapping of str to (n,) float array
        By the names of `lightcurve.core.covariates.COVARIATES`.
    recipe : CurveRecipe or None
        How it was made, when it was made here.
    source : CurveSource or None
        Where it was read, when it was.
    columns : mapping of str to (n,) array
        What else its table has of each frame, by column.
    dilution : Dilution or None
        Where the light of other stars in the aperture was looked for.
    stars : StarCurves or None
        Of comparison and check stars, where they are known.
    """

    file: np.ndarray
    jd_utc: np.ndarray
    bjd_tdb: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    target_flux: np.ndarray
    comparison_flux: np.ndarray
    flags: np.ndarray
    covariates: Mapping[str, np.ndarray]
    recipe: CurveRecipe | None = None
    source: CurveSource | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    dilution: Dilution | None = None
    stars: StarCurves | None = None

    def to_table(self) -> Table:
        """Lay the curve out as lightcurve.csv has it: a row a frame, flags and all.

        Returns
        -------
        astropy.table.Table
            With the columns that the curve has, their units and descriptions.
        """
        quantities = registry_of("per-frame quantity")
        own = {q.name: getattr(self, q.attribute) for q in quantities if q.attribute}
        return laid_out("lightcurve.csv", {**own, **self.columns})

    def to_lightkurve(self) -> Any:
        """Hand the curve over to lightkurve: the points that have a time and a flux.

        Times are BJD_TDB, or JD_UTC where the curve has no other.

        Returns
        -------
        lightkurve.LightCurve
            With ``flux``, ``flux_err``, the flags as ``quality`` and the covariates as columns.

        Raises
        ------
        InputError
            Where lightkurve is not installed.
        """
        from astropy.time import Time

        try:
            import lightkurve
        except ImportError as error:
            msg = "lightkurve is not installed: pip install lightkurve"
            raise InputError(msg) from error
        time, scale = self._times()
        good = np.isfinite(time) & np.isfinite(self.flux)
        curve = lightkurve.LightCurve(
            time=Time(time[good], format="jd", scale=scale),
            flux=self.flux[good],
            flux_err=self.flux_err[good],
        )
        curve["quality"] = self.flags[good]
        for name, values in self.covariates.items():
            if name not in curve.colnames:
                curve[name] = values[good]
        return curve

    def _times(self) -> tuple[np.ndarray, str]:
        """Barycentric times, (n,), or where there are none those of the clock; and their scale."""
        barycentric = np.isfinite(self.bjd_tdb).any() or not np.isfinite(self.jd_utc).any()
        return (self.bjd_tdb, "tdb") if barycentric else (self.jd_utc, "utc")

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> Axes:
        """Draw relative flux with its errors against BJD_TDB, or JD_UTC where there is no other.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Those of a new figure when not given.
        **kwargs
            For `matplotlib.axes.Axes.errorbar`.
        """
        ax = new_axes() if ax is None else ax
        look: dict[str, Any] = {"fmt": "o", "markersize": 3, "elinewidth": 0.7} | kwargs
        time, scale = self._times()
        day = float(np.floor(np.nanmin(time))) if np.isfinite(time).any() else 0.0
        ax.errorbar(time - day, self.flux, self.flux_err, **look)
        ax.set_xlabel(f"{'BJD_TDB' if scale == 'tdb' else 'JD_UTC'} - {day:.0f}")
        ax.set_ylabel("relative flux")
        return ax

    def need_recipe(self) -> CurveRecipe:
        """Tell how it was made; raises InputError where it was read from a table."""
        if self.recipe is None:
            msg = "the light curve does not say its aperture and comparison stars"
            raise InputError(msg)
        return self.recipe


@dataclass(frozen=True, slots=True)
class Parameter:
    """A fitted or derived number.

    Attributes
    ----------
    value, lower, upper : float
        Median and the 16 and 84 % points (or value minus and plus one sigma).
    """

    value: float
    lower: float
    upper: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Influence:
    """What one covariate does to a fit.

    Attributes
    ----------
    amplitude_percent, amplitude_err_percent : float
        From the least to the most it does to the flux in the night, and one sigma of that.
    radius_ratio_without : float
        How far the radius ratio moves when the covariate is left out.
    radius_ratio_err : float
        One sigma of the radius ratio, for comparison.
    mid_time_without_minutes : float
        How far the mid-time moves.
    """

    covariate: str
    amplitude_percent: float
    amplitude_err_percent: float
    radius_ratio_without: float
    radius_ratio_err: float
    mid_time_without_minutes: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class TransitFit(Tabular):
    """A transit model fitted to a light curve.

    Attributes
    ----------
    parameters : mapping of str to Parameter
        ``mid_time_bjd_tdb``, ``rp_over_rs``, ``a_over_rs``, ``impact_parameter``,
        ``duration_days``, ``depth_percent`` ...; empty where no transit was found.
    model, trend, residuals : (n,) float arrays
        Transit alone (1 where none was found), systematics alone, and what is left, on the light
        curve's points.
    used : (n,) bool array
        Points that took part.
    statistics : mapping of str to float
        ``chi2``, ``bic``, ``delta_bic_no_transit``, ``beta``, ``residual_scatter_percent`` ...
    covariates : tuple of str
        Those that took part in the trend.
    influences : tuple of Influence
        What each of them does.
    samples : (n_sample, n_parameter) float array or None
        None where no transit was found.
    solution : mapping of str to float
        What the model is drawn with: the likeliest transit, by the names of the parameters, and
        ``dilution`` where other light is in the aperture; empty where none was found.
    unproven : mapping of str to Parameter
        The same parameters of the likeliest dip where no transit was found: no results.
    """

    parameters: Mapping[str, Parameter]
    model: np.ndarray
    trend: np.ndarray
    residuals: np.ndarray
    used: np.ndarray
    statistics: Mapping[str, float]
    covariates: tuple[str, ...]
    verdict: Verdict
    samples: np.ndarray | None = None
    sample_names: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    influences: tuple[Influence, ...] = ()
    unproven: Mapping[str, Parameter] = field(default_factory=dict)
    solution: Mapping[str, float] = field(default_factory=dict)

    def to_table(self) -> Table:
        """Lay the parameters out, a row each: name, value, lower, upper, unit."""
        from astropy.table import Table

        rows = [(name, p.value, p.lower, p.upper, p.unit) for name, p in self.parameters.items()]
        names = ("name", "value", "lower", "upper", "unit")
        return Table(rows=rows, names=names, dtype=(str, float, float, float, str))

    @property
    def found(self) -> bool:
        """Whether there is a transit, whole or in part."""
        return self.verdict.found


@dataclass(frozen=True, slots=True)
class Motion:
    """How a star moves on the sky; that in right ascension is times cos dec."""

    pm_ra_mas_yr: float
    pm_dec_mas_yr: float
    parallax_mas: float = 0.0
    epoch_year: float = 2000.0  # Julian, of the coordinates it goes with


@dataclass(frozen=True, slots=True)
class KnownDuration:
    """How long a transit takes, and its error: days; inner: from second to third contact."""

    days: float
    err: float
    inner: bool = False


@dataclass(frozen=True, slots=True)
class Planet:
    """What is known of a transiting planet.

    Attributes
    ----------
    dilutions : mapping of str to (float, float)
        By filter: share of the target in the light measured, and its error.
    errors : mapping of str to float
        One sigma, by name; of ``impact_parameter``, too, where that was given or worked out.
    free : tuple of str
        Which of ``a_over_rs`` and ``impact_parameter`` are told by `durations` alone.
    given : mapping of str to float
        What the shape was worked out from, errors too; empty where it was given as it is here.
    notes : tuple of Note
        How it was worked out, and what of the given values contradicts.
    """

    name: str
    ra_deg: float
    dec_deg: float
    period_days: float
    t0_bjd_tdb: float
    rp_over_rs: float
    a_over_rs: float
    inclination_deg: float
    eccentricity: float = 0.0
    omega_deg: float = 90.0
    teff_k: float | None = None
    logg: float | None = None
    feh: float | None = None
    pm_ra_mas_yr: float | None = None
    pm_dec_mas_yr: float | None = None
    parallax_mas: float | None = None
    epoch_year: float | None = None
    dilution: float | None = None  # share of the target in the light measured; None for all
    g_mag: float | None = None  # of its star, as Gaia measures it
    errors: Mapping[str, float] = field(default_factory=dict)
    source: str = ""
    dilutions: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    free: tuple[str, ...] = ()
    durations: tuple[KnownDuration, ...] = ()
    given: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def seen_in(self, filter_name: str | None) -> Planet:
        """Take the dilution that it has in a filter, where that is known."""
        if filter_name is None or filter_name not in self.dilutions:
            return self
        share, error = self.dilutions[filter_name]
        return replace(self, dilution=share, errors={**self.errors, "dilution": error})

    @property
    def motion(self) -> Motion | None:
        """How its star moves, from J2000 where no epoch is given; None where that is not known."""
        if self.pm_ra_mas_yr is None or self.pm_dec_mas_yr is None:
            return None
        epoch = 2000.0 if self.epoch_year is None else self.epoch_year
        return Motion(self.pm_ra_mas_yr, self.pm_dec_mas_yr, self.parallax_mas or 0.0, epoch)


@dataclass(frozen=True, slots=True)
class Products:
    """What a run left behind.

    Attributes
    ----------
    paths : mapping of str to Path
        By name of the product.
    timings_s : mapping of str to float
        By stage.
    summary : mapping
        What is worth printing, by name: each a `Result`; of one frame the plain values, with the
        unit in the name.
    """

    folder: Path
    paths: Mapping[str, Path]
    timings_s: Mapping[str, float]
    summary: Mapping[str, Any]


NOTHING_WRITTEN = Products(Path(), {}, {}, {})


def plot_fitted(curve: LightCurve, fit: TransitFit | None, ax: Axes | None = None) -> Axes:
    """Draw a light curve and, where there is a fit, transit times trend on its points."""
    ax = curve.plot(ax)
    if fit is not None:
        order = np.argsort(curve.bjd_tdb)
        order = order[fit.used[order]]
        day = np.floor(np.nanmin(curve.bjd_tdb))
        ax.plot(curve.bjd_tdb[order] - day, (fit.model * fit.trend)[order], zorder=3)
    return ax
