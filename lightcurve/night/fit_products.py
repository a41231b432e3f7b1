"""What a transit fit leaves behind: its numbers and its table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.data import About, LightCurve, Planet, Result, TransitFit
from lightcurve.core.files import write_text
from lightcurve.report.html import in_words
from lightcurve.tables.run_tables import write_model
from lightcurve.transit.ephemeris import predict_transit
from lightcurve.transit.fit_values import fit_to_json

WORTH_SAYING = 0.2  # of the error of the radius ratio
SHOWN = {
    "mid_time_bjd_tdb": "mid-transit", "o_minus_c_minutes": "O-C", "rp_over_rs": "Rp/R*",
    "rp_over_rs_uncorrected": "Rp/R*, not corrected", "depth_percent": "depth",
    "depth_uncorrected_percent": "depth, not corrected", "duration_days": "duration",
}  # fmt: skip


def write_fit(
    folder: Path,
    curve: LightCurve,
    fit: TransitFit,
    planet: Planet,
    *,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Path]:
    """Write fit.json, and model.csv: the light curve with trend, model and residuals.

    extra : more entries for fit.json.
    """
    text = json.dumps(fit_to_json(fit, planet, extra=extra), indent=2, allow_nan=False)
    return {
        "fit.json": write_text(folder / "fit.json", text + "\n"),
        "model.csv": write_model(folder / "model.csv", curve, fit),
    }


def summarise_fit(fit: TransitFit) -> dict[str, Result]:
    """Collect what of a fit is worth printing, by the names of fit.json.

    Without a transit there are no numbers of one; the depth that is excluded stands in their place.
    """
    results = {}
    for name, label in SHOWN.items():
        if name in fit.parameters:
            fitted = fit.parameters[name]
            ratio = label.startswith("Rp/R*")  # which tells its unit
            text = in_words(fitted, "" if ratio else None)
            results[name] = Result(
                fitted.value, fitted.unit, label, text, lower=fitted.lower, upper=fitted.upper
            )
    scatter = fit.statistics["residual_scatter_percent"]
    results |= {
        "residual_scatter_percent": Result(scatter, "%", "residual scatter", f"{scatter:.3f} %"),
        "covariates": Result(
            fit.covariates, "", "detrended by", ", ".join(fit.covariates) or "nothing"
        ),
        **_influences(fit),
        **fit.verdict.results,
    }
    if not fit.found and "depth_limit_percent" in fit.statistics:
        limit = fit.statistics["depth_limit_percent"]
        results["depth_limit_percent"] = Result(limit if math.isfinite(limit) else None, "%")
    for note in fit.notes:
        if note.about is About.DIP and "dip" not in results:
            results |= {"dip": Result(note.text, label="dip"), **note.results}
    return results


def _influences(fit: TransitFit) -> dict[str, Result]:
    """Tell what each covariate does to flux and Rp/R*; people are shown those that do much."""
    results = {}
    for told in fit.influences:
        share = told.radius_ratio_without / told.radius_ratio_err
        text = (
            f"{told.amplitude_percent:.2f} +- {told.amplitude_err_percent:.2f} % of the flux; "
            f"without it Rp/R* {told.radius_ratio_without:+.4f} ({share:+.1f} sigma), mid-transit "
            f"{told.mid_time_without_minutes:+.2f} min"
        )
        label = f"trend with {told.covariate}" if abs(share) > WORTH_SAYING else ""
        results[f"influence_{told.covariate}"] = Result(
            told.radius_ratio_without, "stellar radii", label, text
        )
    return results


def predicted_events(planet: Planet, curve: LightCurve) -> dict[str, float]:
    """Predict ingress and egress, BJD_TDB, for a light curve."""
    transit = predict_transit(planet, float(np.nanmedian(curve.bjd_tdb)))
    return {"ingress": transit.ingress, "egress": transit.egress}
