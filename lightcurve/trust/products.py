"""What injections leave behind: their table, numbers, words and figure."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.constants import __version__
from lightcurve.core.data import Products, Result
from lightcurve.core.files import json_text, write_text
from lightcurve.core.table_text import csv_text
from lightcurve.report.trust import Injected, save_trust
from lightcurve.tables.run_folder import TRUST, digest_of
from lightcurve.transit.fit_values import planet_values
from lightcurve.transit.inject import MEASURED, Purpose, Trial
from lightcurve.trust.rates import HALF, Width, share_of

if TYPE_CHECKING:
    from lightcurve.trust.pixels import PixelTrial
    from lightcurve.trust.story import Trust

CLEAR = 2.0  # errors by which a factor is told from 1
FEW = 1.15  # times: a difference of errors that is worth a word
VAGUE = 0.4  # of a factor: one that may be so far off is not known
BEYOND = 1.6  # times the depths tried, shown in the figure
NAMES = {"depth": "depth", "mid": "mid-time", "duration": "duration"}
COLUMNS = (
    "purpose", "predicted_depth_percent", "moved_hours", "detected", "finding",
    "false_alarm_probability",
    *(f"{kind}_{name}" for name in MEASURED.values() for kind in ("true", "found", "error")),
)  # fmt: skip


def write_trust(out: Path, trust: Trust, title: str) -> Products:
    """Write trust.json, trust.csv and the figure."""
    (out / "figures").mkdir(parents=True, exist_ok=True)
    told = conclusions(trust)
    paths = {
        "trust.csv": write_text(
            out / "trust.csv", csv_text(COLUMNS, [_row(trial) for trial in trust.trials])
        ),
        TRUST: write_text(out / TRUST, json_text(content(trust), indent=2)),
        "figures/trust.png": save_trust(
            out / "figures" / "trust.png", picture(trust), title=f"{title}: {told[0]}",
            facts=told[1:],
        ),
    }  # fmt: skip
    return Products(out, paths, {}, summarise(trust))


def _row(trial: Trial) -> list[Any]:
    order = trial.order
    values = [
        value
        for name in MEASURED
        for value in (trial.true[name], trial.found.get(name, ""), trial.error.get(name, ""))
    ]
    return [
        order.purpose.value, 100 * order.depth, 24 * order.moved, int(trial.detected),
        trial.finding, trial.chance, *values,
    ]  # fmt: skip


def content(trust: Trust) -> dict[str, Any]:
    """Lay all numbers out for trust.json."""
    fit = trust.fitted.fit
    return {
        "target": trust.fitted.planet.name,
        "light_curve": digest_of(trust.fitted.curve),
        "verdict": str(fit.verdict),
        "observed_depth_percent": None if trust.observed is None else trust.observed[0],
        "observed_depth_err_percent": None if trust.observed is None else trust.observed[1],
        **{name: result.value for name, result in summarise(trust).items() if result.unit == "%"},
        "depth_of_errors_percent": trust.shown,
        "errors": {name: width_values(width) for name, width in trust.widths.items()},
        "false_alarms": dict(zip(("found", "of"), trust.false_alarms, strict=True)),
        "rates": rate_rows(trust),
        "pixels": [pixel_values(one) for one in trust.pixels],
        "injections": dict(Counter(trial.order.purpose.value for trial in trust.trials)),
        "conclusions": list(conclusions(trust)),
        "too_small": [
            about_errors(name, width) for name, width in trust.widths.items() if is_small(width)
        ],
        "planet": planet_values(trust.fitted.planet),
        "version": __version__,
    }


def pixel_values(one: PixelTrial) -> dict[str, Any]:
    """Lay out a transit that was put into the frames: found there, and in the light curve."""
    told = {"pixels": one.pixels, "curve": one.curve}
    return {
        "moved_hours": 24 * one.pixels.order.moved,
        "share_kept": one.kept,
        "share_kept_err": one.kept_err,
        "frames": one.frames,
        **{f"true_{key}": one.pixels.true[name] for name, key in MEASURED.items()},
        **{
            f"{where}_{kind}_{key}": getattr(trial, kind).get(name)
            for where, trial in told.items()
            for name, key in MEASURED.items()
            for kind in ("found", "error")
        },
    }


def width_values(width: Width) -> dict[str, float]:
    """Lay out how pulls lie."""
    return {
        "factor": width.width, "factor_err": width.width_err, "pull_mean": width.mean,
        "pull_mean_err": width.mean_err, "bias": width.bias, "bias_err": width.bias_err,
        "count": width.count,
    }  # fmt: skip


def rate_rows(trust: Trust) -> list[dict[str, float]]:
    """List the depths that were tried at the place of the night's own, and the shares found."""
    rows = []
    here = [t for t in trust.trials if t.order.purpose in {Purpose.RATE, Purpose.ERRORS}]
    logs = np.log([trial.order.depth for trial in here])
    edges = np.unique(np.quantile(logs, np.linspace(0, 1, 9)))
    group = np.clip(np.searchsorted(edges, logs, side="right") - 1, 0, max(len(edges) - 2, 0))
    for k in np.unique(group):
        found = [here[i].detected for i in np.flatnonzero(group == k)]
        depth = 100 * float(np.exp(np.mean(logs[group == k])))
        share, low, high = share_of(sum(found), len(found))
        fitted, error = trust.detection.rate(depth)
        rows.append(
            {"depth_percent": depth, "tried": len(found), "found": sum(found), "share": share,
             "lower": low, "upper": high, "fitted": fitted, "fitted_err": error,
             "of_one_night": trust.detection.rate_of_nights(depth)}
        )  # fmt: skip
    return rows


def conclusions(trust: Trust) -> tuple[str, ...]:
    """Say what it comes to, a line each: the limit first."""
    limit, error = trust.limit
    half = trust.detection.depth(HALF)[0]
    if math.isfinite(limit):
        first = (
            f"a depth under {_percent(half)} would more often not have been seen; 95 of 100 are "
            f"from {_percent(limit, error)} on"
        )
    elif math.isfinite(half):
        first = f"half are seen from {_percent(half)} on, 95 of 100 of no depth that was tried"
    else:
        first = "no depth that was tried would have been seen in half of the cases"
    lines = [first]
    if trust.observed is not None and math.isfinite(limit):
        depth = trust.observed[0]
        lines.append(f"the observed depth, {_percent(depth)}, is {depth / limit:.1f} times that")
    lines += [about_errors(name, trust.widths[name]) for name in NAMES if name in trust.widths]
    if trust.pixels:
        kept = np.array([(one.kept, one.kept_err) for one in trust.pixels])
        share, error = 100 * kept[:, 0].mean(), 100 * np.hypot.reduce(kept[:, 1]) / len(kept)
        lines.append(
            f"of {len(kept)} transits put into the frames themselves {share:.1f} +- {error:.1f} % "
            "of the depth is left in the light curve"
        )
    found, tried = trust.false_alarms
    lines.append(f"a transit was found in {found} of {tried} nights into which none was put")
    return tuple(lines)


def is_small(width: Width) -> bool:
    """Say whether errors are too small, by more than chance and by enough to matter."""
    return width.width - 1 > CLEAR * width.width_err and width.width > FEW


def about_errors(name: str, width: Width) -> str:
    """Say how right the errors of a quantity are."""
    ratio, error = width.width, width.width_err
    text = f"errors of the {NAMES[name]}"
    if is_small(width):
        return f"{text} are {ratio:.2f} +- {error:.2f} times too small"
    is_large = 1 - ratio > CLEAR * error and ratio < 1 / FEW
    if not is_large and CLEAR * error > VAGUE:
        return f"{text} may be right ({ratio:.2f} +- {error:.2f} times; more --injections tell)"
    if not is_large:
        return f"{text} are as they should be ({ratio:.2f} +- {error:.2f} times)"
    return f"{text} are {1 / ratio:.2f} +- {error / ratio**2:.2f} times too large"


def _percent(value: float, error: float | None = None) -> str:
    digits = max(0, 2 - math.floor(math.log10(value)) - 1) if value > 0 else 2
    tail = "" if error is None else f" +- {error:.{digits}f}"
    return f"{value:.{digits}f}{tail} %"


def summarise(trust: Trust) -> dict[str, Result]:
    """Collect what is worth printing."""
    told = conclusions(trust)
    limit, error = trust.limit
    half, half_err = trust.detection.depth(HALF)
    results = {
        "target": Result(trust.fitted.planet.name, label="target"),
        "verdict": Result(str(trust.fitted.fit.verdict), label="verdict"),
        "limit_percent": _depth(limit, error),
        "half_percent": _depth(half, half_err),
    }
    for name, width in trust.widths.items():
        results[f"{name}_error_factor"] = Result(
            width.width, lower=width.width - width.width_err, upper=width.width + width.width_err
        )
    labels = ("limit", *[""] * (len(told) - 1))
    for k, (line, label) in enumerate(zip(told, labels, strict=True)):
        results[f"conclusion_{k + 1}"] = Result(line, label=label or f"found {k}")
    return results


def _depth(value: float, error: float) -> Result:
    if not math.isfinite(value):
        return Result(None, "%")
    return Result(value, "%", lower=value - error, upper=value + error)


def picture(trust: Trust) -> Injected:
    """Lay out what the figure shows."""
    trials = trust.trials
    here = [t for t in trials if t.order.purpose in {Purpose.RATE, Purpose.ERRORS}]
    depths = [100 * trial.order.depth for trial in here]
    grid = np.geomspace(min(depths) / BEYOND, max(depths) * BEYOND, 80)
    rates = np.array([trust.detection.rate(depth) for depth in grid])
    rows = rate_rows(trust)
    shares = {name: np.array([row[name] for row in rows], dtype=float) for name in rows[0]}
    found = [trial for trial in here if trial.detected and "depth" in trial.found]
    errors = [t for t in found if t.order.purpose is Purpose.ERRORS]
    placed = [trial for trial in trials if trial.order.purpose is Purpose.PHASE]
    limit = trust.limit[0]
    return Injected(
        grid=grid,
        rate=rates[:, 0],
        rate_err=np.hypot(
            rates[:, 1], [trust.detection.rate_of_nights(float(depth)) for depth in grid]
        ),
        tried=shares["depth_percent"],
        share=shares["share"],
        low=shares["lower"],
        high=shares["upper"],
        limit=limit if math.isfinite(limit) else math.nan,
        observed=math.nan if trust.observed is None else trust.observed[0],
        true=np.array([trial.true["depth"] for trial in found]),
        found=np.array([trial.found["depth"] for trial in found]),
        error=np.array([trial.error["depth"] for trial in found]),
        of_pixels=np.array(
            [
                (one.pixels.true["depth"], one.pixels.found["depth"], one.pixels.error["depth"])
                for one in trust.pixels
                if "depth" in one.pixels.found
            ]
        ).reshape(-1, 3),
        pulls={
            label: np.array([p for p in (t.pull(name) for t in errors) if math.isfinite(p)])
            for name, label in NAMES.items()
        },
        hours=np.array([24 * trial.order.moved for trial in placed]),
        depth=np.array([100 * trial.order.depth for trial in placed]),
        seen=np.array([trial.detected for trial in placed], dtype=bool),
    )
