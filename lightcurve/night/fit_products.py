"""What a transit fit leaves behind: its numbers, its table and its figures."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.data import About, LightCurve, Planet, Result, TransitFit
from lightcurve.core.files import write_text
from lightcurve.report.fit import save_corner, save_covariates, save_time_averaging
from lightcurve.report.html import round_together
from lightcurve.report.light_curve import save_light_curve
from lightcurve.tables.run_tables import write_model
from lightcurve.transit.ephemeris import predict_transit
from lightcurve.transit.fit_values import fit_to_json
from lightcurve.transit.quality import time_averaging

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
            value, minus, plus = round_together(fitted)
            text = f"{value} -{minus} +{plus} {fitted.unit}".strip()
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


def save_fit_figures(
    folder: Path, curve: LightCurve, fit: TransitFit, planet: Planet, *, title: str
) -> dict[str, Path]:
    """Draw every figure that needs no frames, into a folder that is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = figures_of(fit)
    paths = {name: folder / f"{name}.png" for name in figures}
    save_light_curve(
        folder / "light_curve.png", curve, title=title, fit=fit,
        predicted=predicted_events(planet, curve),
    )  # fmt: skip
    for name, draw in figures.items():
        draw(paths[name], curve, fit)
    paths = {"light_curve": folder / "light_curve.png", **paths}
    return {f"figures/{path.name}": path for path in paths.values()}


def predicted_events(planet: Planet, curve: LightCurve) -> dict[str, float]:
    """Predict ingress and egress, BJD_TDB, for a light curve."""
    transit = predict_transit(planet, float(np.nanmedian(curve.bjd_tdb)))
    return {"ingress": transit.ingress, "egress": transit.egress}


def save_fit_time_averaging(path: Path, curve: LightCurve, fit: TransitFit) -> None:
    """Save the figure of how the scatter falls when residuals are averaged."""
    _, *bins = time_averaging(curve.bjd_tdb[fit.used], fit.residuals[fit.used])
    save_time_averaging(path, *bins, beta=fit.statistics["beta"])


def save_fit_covariates(path: Path, curve: LightCurve, fit: TransitFit) -> None:
    """Save the figure of the flux without the transit against each covariate."""
    covariates = {name: values[fit.used] for name, values in curve.covariates.items()}
    left = (curve.flux / fit.model)[fit.used]
    save_covariates(path, covariates, left, chosen=fit.covariates)


def save_fit_corner(path: Path, curve: LightCurve, fit: TransitFit) -> None:
    """Save the figure of the posterior; all figures of a fit are called alike, with the curve."""
    del curve
    if fit.samples is not None:
        save_corner(path, fit.samples, fit.sample_names)


FitFigure = Callable[[Path, LightCurve, TransitFit], None]
FIT_FIGURES: dict[str, FitFigure] = {
    "time_averaging": save_fit_time_averaging,
    "covariates": save_fit_covariates,
    "corner": save_fit_corner,
}


def figures_of(fit: TransitFit) -> dict[str, FitFigure]:
    """Choose the figures that a fit has something for: no corner where nothing was sampled."""
    return {n: draw for n, draw in FIT_FIGURES.items() if n != "corner" or fit.samples is not None}
