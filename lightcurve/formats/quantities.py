"""What lightcurve.csv holds of each frame: every column once, with all that is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lightcurve.data import FrameResult, LightCurve, Measurements
from lightcurve.flags import Flag
from lightcurve.formats.columns import (
    BJD_TDB,
    FILE,
    JD_UTC,
    TABLES,
    TEXT,
    WHOLE,
    Column,
    TableFormat,
)
from lightcurve.registry import Registry


@dataclass(frozen=True, slots=True)
class Quantity(Column):
    """A column of lightcurve.csv.

    Attributes
    ----------
    value : callable
        The curve, and the measurements that it was made from, to one value a frame.
    failed : callable
        What is known of a frame that was not measured; None for nothing.
    attribute : str
        Of `LightCurve`, where the reader puts it.
    panel : str
        Label of its panel in the figure of the night; empty for none, or for those that stand there
        anyhow.

    What is no attribute is read back into `LightCurve.columns`.
    """

    value: Callable[[LightCurve, Measurements], np.ndarray] = field(kw_only=True)
    failed: Callable[[FrameResult], Any] = field(default=lambda _: None, kw_only=True)
    attribute: str = field(default="", kw_only=True)
    panel: str = field(default="", kw_only=True)


QUANTITIES: Registry[Quantity] = Registry(
    "per-frame quantity",
    Quantity(
        FILE.name,
        FILE.description,
        kind=TEXT,
        value=lambda curve, _: curve.file,
        failed=lambda result: result.file,
        attribute="file",
    ),
    Quantity(
        JD_UTC.name,
        JD_UTC.description,
        JD_UTC.unit,
        value=lambda curve, _: curve.jd_utc,
        failed=lambda result: result.exposure.mid_jd_utc if result.exposure else None,
        attribute="jd_utc",
    ),
    Quantity(
        BJD_TDB.name,
        BJD_TDB.description,
        BJD_TDB.unit,
        value=lambda curve, _: curve.bjd_tdb,
        attribute="bjd_tdb",
    ),
    Quantity("airmass", "at mid-exposure", value=lambda _, m: m.airmass),
    Quantity(
        "rel_flux",
        "target over comparison stars, 1 out of transit",
        value=lambda curve, _: curve.flux,
        attribute="flux",
    ),
    Quantity(
        "rel_flux_err", "one sigma", value=lambda curve, _: curve.flux_err, attribute="flux_err"
    ),
    Quantity(
        "comparison_flux",
        "of the comparison stars together, weighted",
        "adu",
        value=lambda curve, _: curve.comparison_flux,
        attribute="comparison_flux",
    ),
    Quantity(
        "target_flux",
        "of the target",
        "adu",
        value=lambda curve, _: curve.target_flux,
        attribute="target_flux",
    ),
    Quantity(
        "fwhm_px",
        "median over the frame's stars",
        "pix",
        value=lambda _, m: m.fwhm_px,
        failed=lambda result: result.fwhm_px,
    ),
    Quantity(
        "sky",
        "level around the target; of the whole frame where the target was not measured",
        "adu",
        value=lambda _, m: m.star_sky[:, 0],
        failed=lambda result: result.sky,
    ),
    Quantity("x", "of the target", "pix", value=lambda _, m: m.x[:, 0]),
    Quantity("y", "of the target", "pix", value=lambda _, m: m.y[:, 0]),
    Quantity(
        "shift",
        "of the target against the reference frame",
        "pix",
        value=lambda _, m: np.hypot(m.shift_x, m.shift_y),
    ),
    Quantity(
        "rotation",
        "of the field against the reference frame",
        "deg",
        value=lambda _, m: m.rotation_deg,
    ),
    Quantity(
        "flags",
        "sum of the flags; 0 when nothing is wrong",
        kind=WHOLE,
        value=lambda curve, _: curve.flags,
        failed=lambda _: int(Flag.NOT_MEASURED),
        attribute="flags",
    ),
)

LIGHTCURVE = TABLES.register(
    TableFormat(
        "lightcurve.csv",
        "Light curve, one row a frame",
        QUANTITIES,
        essential=("rel_flux", "rel_flux_err", "flags"),
    )
)


def night_panels(curve: LightCurve, measurements: Measurements) -> list[tuple[str, np.ndarray]]:
    """Label and values, (n_frame,), of the quantities that ask for a panel of the night."""
    return [(q.panel, q.value(curve, measurements)) for q in QUANTITIES if q.panel]
