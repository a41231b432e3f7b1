"""What is known of each frame of a night: the columns of lightcurve.csv, each entered once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.data import StarRole
from lightcurve.core.flags import Flag
from lightcurve.core.registry import Registry

if TYPE_CHECKING:
    from lightcurve.core.data import FrameResult, LightCurve, Measurements

    Series = Mapping[str, np.ndarray]  # legend (empty for none) to values, (n_frame,)

__all__ = [
    "QUANTITIES",
    "TEXT",
    "Column",
    "Panel",
    "beside_curve",
    "columns_of",
    "header_columns",
    "night_panels",
]

NUMBER, WHOLE, TEXT = "double", "integer", "string"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; its unit as astropy writes it, empty for none."""

    name: str
    description: str
    unit: str = ""
    kind: str = NUMBER


@dataclass(frozen=True, slots=True)
class Panel:
    """A quantity's place in the figure of the night."""

    label: str  # of the vertical axis
    place: int = 5  # from the top; those of the same place in the order of the registry
    inverted: bool = False  # small values up
    colour_of: StarRole = StarRole.TARGET  # drawn in the colour of such stars
    # drawn in place of the column's own values: made of the columns beside the light curve
    series: Callable[[Series], Series] | None = None


@dataclass(frozen=True, slots=True)
class Quantity(Column):
    """A column of lightcurve.csv: measured, or an attribute of the light curve, or both."""

    # measurements to one value a frame; covariates may be made of it
    measured: Callable[[Measurements], np.ndarray] | None = field(default=None, kw_only=True)
    # of a header, where it is the number that stands there in each frame
    keyword: str = field(default="", kw_only=True)
    # of `LightCurve`, where the reader puts it; what is none is read into `LightCurve.columns`
    attribute: str = field(default="", kw_only=True)
    # what is known of a frame that was not measured; None for nothing
    failed: Callable[[FrameResult], Any] = field(default=lambda _: None, kw_only=True)
    panel: Panel | None = field(default=None, kw_only=True)  # in the figure of the night

    def __post_init__(self) -> None:
        if self.measured is None and not (self.attribute or self.keyword):
            msg = f"quantity {self.name}: neither measured nor of the light curve"
            raise ValueError(msg)

    def value(self, curve: LightCurve, measurements: Measurements) -> np.ndarray:
        """One value a frame, (n_frame,); of the curve, where it has the quantity."""
        if self.attribute:
            values: np.ndarray | None = getattr(curve, self.attribute)
        else:
            values = self.of_night(measurements)
        return np.full(len(curve.file), np.nan) if values is None else values

    def of_night(self, measurements: Measurements) -> np.ndarray | None:
        """One value a frame, (n_frame,), before there is a light curve; None where it is later."""
        if self.keyword:
            return measurements.columns.get(self.name)
        return None if self.measured is None else self.measured(measurements)


def _drift(columns: Series) -> Series:
    """Places of the target, (n_frame,) each, from its median place."""
    return {name: columns[name] - _middle(columns[name]) for name in "xy" if name in columns}


def _middle(values: np.ndarray) -> float:
    """Take the median of what is known of values, (n,); NaN where nothing is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else np.nan


QUANTITIES: Registry[Quantity] = Registry(
    "per-frame quantity",
    Quantity(
        "file",
        "the frame; with its folder where frames lie in several",
        kind=TEXT,
        failed=lambda result: result.file,
        attribute="file",
    ),
    Quantity(
        "jd_utc",
        "mid-exposure: Julian date, UTC",
        "d",
        measured=lambda m: m.jd_utc,
        failed=lambda result: result.exposure.mid_jd_utc if result.exposure else None,
        attribute="jd_utc",
    ),
    Quantity(
        "bjd_tdb",
        "mid-exposure: barycentric Julian date, TDB, at the site",
        "d",
        measured=lambda m: m.bjd_tdb,
        attribute="bjd_tdb",
    ),
    Quantity(
        "airmass",
        "at mid-exposure",
        measured=lambda m: m.airmass,
        # High in the sky is up.
        panel=Panel("Airmass", place=6, inverted=True, colour_of=StarRole.FIELD),
    ),
    Quantity("rel_flux", "target over comparison stars, 1 out of transit", attribute="flux"),
    Quantity("rel_flux_err", "one sigma", attribute="flux_err"),
    Quantity(
        "comparison_flux",
        "of the comparison stars together, weighted",
        "adu",
        attribute="comparison_flux",
    ),
    Quantity("target_flux", "of the target", "adu", attribute="target_flux"),
    Quantity(
        "fwhm_px",
        "median over the frame's stars",
        "pix",
        measured=lambda m: m.fwhm_px,
        failed=lambda result: result.fwhm_px,
        panel=Panel("FWHM (px)", place=4, colour_of=StarRole.COMPARISON),
    ),
    Quantity(
        "sky",
        "level around the target; of the whole frame where the target was not measured",
        "adu",
        measured=lambda m: m.star_sky[:, 0],
        failed=lambda result: result.sky,
        panel=Panel("Sky (ADU)", place=3, colour_of=StarRole.CHECK),
    ),
    Quantity("x", "of the target", "pix", measured=lambda m: m.x[:, 0]),
    Quantity("y", "of the target", "pix", measured=lambda m: m.y[:, 0]),
    Quantity(
        "shift",
        "of the target against the reference frame",
        "pix",
        measured=lambda m: np.hypot(m.shift_x, m.shift_y),
        panel=Panel("Shift (px)", place=1, series=_drift),
    ),
    Quantity(
        "rotation",
        "of the field against the reference frame",
        "deg",
        measured=lambda m: m.rotation_deg,
        panel=Panel("Rotation (deg)", place=2, colour_of=StarRole.FIELD),
    ),
    Quantity(
        "flags",
        "sum of the flags; 0 when nothing is wrong",
        kind=WHOLE,
        failed=lambda _: int(Flag.NOT_MEASURED),
        attribute="flags",
    ),
)


def columns_of(measurements: Measurements) -> dict[str, np.ndarray]:
    """Columns of a night, (n_frame,) each, before there is a light curve."""
    found = {q.name: q.of_night(measurements) for q in QUANTITIES}
    return {name: values for name, values in found.items() if values is not None}


def header_columns() -> dict[str, str]:
    """Columns that are read from the frames' headers, and their keywords."""
    return {q.name: q.keyword for q in QUANTITIES if q.keyword}


def beside_curve(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pick those of a night's columns, (n_frame,) each, that its light curve does not hold."""
    return {q.name: columns[q.name] for q in QUANTITIES if not q.attribute and q.name in columns}


def night_panels(curve: LightCurve) -> list[tuple[Panel, Series]]:
    """Panels of the night from the top, and what each shows; none of what is not known."""
    panels: list[tuple[Panel, Series]] = [
        (q.panel, q.panel.series(curve.columns) if q.panel.series else {"": curve.columns[q.name]})
        for q in QUANTITIES
        if q.panel and q.name in curve.columns
    ]
    known = [p for p in panels if any(np.isfinite(values).any() for values in p[1].values())]
    return sorted(known, key=lambda panel: panel[0].place)
