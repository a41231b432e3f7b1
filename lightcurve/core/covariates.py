"""What a light curve may depend on beside the transit: one entry for each covariate.

An entry is computed from columns, one value a frame, by the names they have in lightcurve.csv: the
same formula holds for measurements and for a table that was read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lightcurve.core.registry import Registry

__all__ = [
    "COVARIATES",
    "OTHER_LIGHT",
    "SLOW",
    "Covariate",
    "covariate_named",
    "covariates_of",
    "elapsed",
    "standardise",
]

Columns = Mapping[str, np.ndarray]
OTHER_LIGHT = "other_light"  # in the target's aperture, over its own


@dataclass(frozen=True, slots=True)
class Covariate:
    """One thing that flux may depend on.

    name : as typed. help : one line for ``--help``.
    """

    name: str
    help: str
    # columns of lightcurve.csv; without one of them there is no such covariate
    needs: tuple[str, ...]
    # columns to (n_frame,) values, or None for a night without it; by default the first column as
    # it is
    compute: Callable[[Columns], np.ndarray | None] | None = None
    # columns of other programs' tables that hold the first column, best first; ``{star}`` stands
    # for the target
    aliases: tuple[str, ...] = ()
    submission: str = ""  # name in AAVSO's DETREND_PARAMETERS; its own where empty
    # 0 before and 1 after something that moves the stars to other pixels: of any height
    step: bool = False
    # How large a trend physics allows, one sigma: relative flux for a change by one unit, or by the
    # whole of its median where `relative`; where it is not known, a usual trend is allowed for
    size: float | None = None
    relative: bool = False
    # relative flux for the square of a unit; 0 for a straight line
    curvature: float = 0.0
    # means another thing on either side of a step
    local: bool = False

    def of(self, columns: Columns) -> np.ndarray | None:
        """Values of a night; None where it has none."""
        if any(name not in columns for name in self.needs):
            return None
        return columns[self.needs[0]] if self.compute is None else self.compute(columns)

    @property
    def in_markdown(self) -> str:
        """Its row of the table in the manual."""
        made_of = ", ".join(f"`{name}`" for name in self.needs)
        return f"| `{self.name}` | {self.help} | {made_of} | {self._allowed} | {self.submission} |"

    @property
    def _allowed(self) -> str:
        """How large its trend may be, in words."""
        if self.step:
            return "any"
        if self.size is None:
            return "usual"
        return f"{100 * self.size:g} %" + (" of its median's" if self.relative else " a unit")

    @property
    def label(self) -> str:
        """Name on a figure."""
        return self.name.replace("_", " ")


def elapsed(columns: Columns) -> np.ndarray:
    """Days about the middle, (n_frame,); JD_UTC where there is no BJD_TDB."""
    bjd = columns["bjd_tdb"]
    time = bjd if np.isfinite(bjd).any() else columns["jd_utc"]
    return time - np.nanmean(time) if np.isfinite(time).any() else time


def _transparency(columns: Columns) -> np.ndarray:
    """Flux of the comparison stars, median 1; as the ensemble has it where it is at hand."""
    if "transparency" in columns:
        return columns["transparency"]
    flux = columns["comparison_flux"]
    return flux / np.nanmedian(flux) if np.isfinite(flux).any() else flux


def _turned_over(columns: Columns) -> np.ndarray | None:
    """1 where the field stands on its head against the first frame; None where it never does."""
    rotation = columns["rotation"]
    finite = rotation[np.isfinite(rotation)]
    if not finite.size:
        return None
    turned = np.cos(np.radians(rotation - finite[0])) < 0
    return turned.astype(float) if turned.any() else None


# Sizes. airmass: extinction differs by 0.01 to 0.04 mag a magnitude of colour, most without filter,
# and a cool target is redder than its comparison stars by a magnitude. x, y: vignetting of a third
# over 1000 px, without flats, falls by 6e-4 of the flux per px at the edge, for stars at two places
# by half of that; its curvature is nearly the same for both. fwhm: of the loss beside an aperture,
# 3 %, a tenth is a star's own. sky: wrong by some thousandths, under an aperture in which it is as
# bright as the star. time: a star that varies by a per cent in two hours. comparison_flux: clouds
# are grey; what is left is a detector's curve. other_light: what the field's profile foretells adds
# to the flux as it is.
COVARIATES: Registry[Covariate] = Registry(
    "covariate",
    Covariate(
        "airmass", "at mid-exposure", ("airmass",),
        aliases=("AIRMASS", "AIRMASS_1"), submission="AIRMASS", size=3e-2,
    ),
    Covariate(
        "x", "of the target, pixels", ("x",),
        aliases=("X(FITS)_{star}", "X(IJ)_{star}", "x"), submission="X(FITS)_T1",
        size=3e-4, curvature=1e-7, local=True,
    ),
    Covariate(
        "y", "of the target, pixels", ("y",),
        aliases=("Y(FITS)_{star}", "Y(IJ)_{star}", "y"), submission="Y(FITS)_T1",
        size=3e-4, curvature=1e-7, local=True,
    ),
    Covariate(
        "fwhm", "of the stars, pixels", ("fwhm_px",),
        aliases=("FWHM_Mean", "FWHM_{star}", "FWHM", "fwhm_px"), submission="FWHM_Mean",
        size=5e-3, relative=True,
    ),
    Covariate(
        "sky", "around the target, ADU", ("sky",),
        aliases=("Sky/Pixel_{star}", "Sky"), submission="Sky/Pixel_T1",
        size=2e-3, relative=True,
    ),
    Covariate(
        "time", "a straight line", ("bjd_tdb", "jd_utc"), elapsed, submission="TIME",
        size=24 * 5e-3,
    ),
    Covariate(
        "meridian_flip", "a step where the field turns over", ("rotation",), _turned_over,
        submission="Meridian_Flip", step=True,
    ),
    Covariate(
        "comparison_flux", "of the comparison stars: clouds and haze", ("comparison_flux",),
        _transparency, submission="tot_C_cnts", size=2e-3, relative=True,
    ),
    Covariate(
        OTHER_LIGHT, "of stars near the target in its aperture, as the seeing lets it in",
        (OTHER_LIGHT,), size=1.0,
    ),
)  # fmt: skip


SLOW = ("airmass", "time")  # what every night drifts with


def covariate_named(name: str) -> Covariate:
    """Find a covariate; one that nobody registered has its name alone."""
    return COVARIATES.entries.get(name) or Covariate(name, "", ())


def covariates_of(columns: Columns) -> dict[str, np.ndarray]:
    """Compute every covariate that a night's columns give: by name, (n_frame,) each."""
    found = {covariate.name: covariate.of(columns) for covariate in COVARIATES}
    return {name: values for name, values in found.items() if values is not None}


def standardise(values: np.ndarray, use: np.ndarray | None = None) -> np.ndarray:
    """Shift and scale to mean 0 and standard deviation 1 over the finite values that are used.

    values: (n,) float array. use: (n,) bool array, by default all.
    Returns (n,) float array, 0 where a value is not finite, and throughout where none differ.
    """
    finite = np.isfinite(values)
    inside = values[finite if use is None else finite & use]
    spread = inside.std() if inside.size else 0.0
    if not spread > 0:
        return np.zeros(len(values))
    return np.where(finite, (values - inside.mean()) / spread, 0.0)
