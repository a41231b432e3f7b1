"""A fit as plain values, ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from lightcurve.core.data import (
    Finding,
    Influence,
    Note,
    Parameter,
    Planet,
    Severity,
    TransitFit,
    Verdict,
)
from lightcurve.core.errors import InputError
from lightcurve.transit.ephemeris import DIRECT, ORBIT, OWN

__all__ = ["fit_from_json", "fit_to_json", "planet_values"]

WHOLE = ("n_points", "n_left_out", "epoch", "supersample", "sampling_steps")
OF_THE_RUN = ("depth_over_error", "seed")  # numbers in fit.json that are no statistics


def fit_to_json(
    fit: TransitFit, planet: Planet, *, extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Lay a fit out for ``fit.json``.

    Parameters
    ----------
    extra : mapping, optional
        More top-level entries, such as file name, seed or version.

    Returns
    -------
    dict
        Parameters by name, each a map of value, lower, upper (16 and 84 %) and unit; without a
        transit these are None, and those of the likeliest dip stand in ``unproven``. Beside them
        the statistics as numbers, named by ``statistics``; ``verdict`` and ``notes`` for people,
        and their parts (``verdict_finding``, ``remarks`` ...) for programs; ``covariates`` and
        ``planet``. A number that is not known is None.
    """
    unproven = {name: _entry(p) for name, p in fit.unproven.items()}
    nothing = dict.fromkeys(("value", "lower", "upper"))
    parameters = {name: {**entry, **nothing} for name, entry in unproven.items()}
    parameters |= {name: _entry(p) for name, p in fit.parameters.items()}
    statistics = {
        name: int(value) if name in WHOLE and math.isfinite(value) else _plain(value)
        for name, value in fit.statistics.items()
    }
    if statistics.get("converged") is not None:
        statistics["converged"] = bool(statistics["converged"])
    depth_sigma = fit.verdict.depth_sigma
    known = {
        "name": planet.name,
        "period_days": planet.period_days,
        "t0_bjd_tdb": planet.t0_bjd_tdb,
        "source": planet.source,
    }
    return {
        **parameters,
        "unproven": unproven,
        **statistics,
        "statistics": list(statistics),
        "verdict": str(fit.verdict),
        "verdict_finding": fit.verdict.finding.value,
        "verdict_reason": fit.verdict.reason,
        "depth_over_error": _plain(math.nan if depth_sigma is None else depth_sigma),
        "solution": dict(fit.solution),
        "covariates": list(fit.covariates),
        "influences": [asdict(influence) for influence in fit.influences],
        "notes": [str(note) for note in fit.notes],
        "remarks": [{"text": n.text, "severity": n.severity.name.lower()} for n in fit.notes],
        "planet": known,
        **(extra or {}),
    }


def _entry(p: Parameter) -> dict[str, Any]:
    limits = {"value": p.value, "lower": p.lower, "upper": p.upper}
    return {**{name: _plain(number) for name, number in limits.items()}, "unit": p.unit}


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def planet_values(planet: Planet) -> dict[str, Any]:
    """Lay what is known of a planet out as a planet file has it: `make_planet` reads it back."""
    names = [*OWN, *(() if planet.given else (*DIRECT, *ORBIT))]
    values = {
        "name": planet.name,
        "ra": planet.ra_deg,
        "dec": planet.dec_deg,
        **{name: getattr(planet, name) for name in names},
        **{f"{n}_err": planet.errors[n] for n in names if n in planet.errors},
        **planet.given,
        "source": planet.source,
    }
    if planet.dilutions:
        values["dilution"] = {
            key: number
            for name, (share, error) in planet.dilutions.items()
            for key, number in ((name, share), (f"{name}_err", error))
        }
    return {
        name: value
        for name, value in values.items()
        if value is not None and not (isinstance(value, float) and math.isnan(value))
    }


def fit_from_json(content: Mapping[str, Any], columns: Mapping[str, np.ndarray]) -> TransitFit:
    """Put a fit, without samples, together again from its files.

    Parameters
    ----------
    content : mapping
        As `fit_to_json` lays it out, or did before it told the parts of verdict and notes.
    columns : mapping of str to (n,) array
        ``model``, ``trend``, ``residual`` and ``used``.

    Raises
    ------
    InputError
        When a value is missing or of another kind.
    """
    try:
        parameters = _read_parameters(content)
        unproven = _read_parameters(content.get("unproven", content))
        numbers = [name for name, value in content.items() if isinstance(value, int | float)]
        told = content.get("statistics", [name for name in numbers if name not in OF_THE_RUN])
        statistics = {name: _number(content[name]) for name in told}
        covariates = tuple(map(str, content["covariates"]))
        solution = {name: float(value) for name, value in content.get("solution", {}).items()}
        influences = tuple(Influence(**entry) for entry in content.get("influences", ()))
        notes, verdict = _read_notes(content), _read_verdict(content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"fit.json: not a fit of ours ({type(error).__name__}: {error})"
        raise InputError(msg) from error
    return TransitFit(
        parameters=parameters if verdict.found else {},
        model=columns["model"],
        trend=columns["trend"],
        residuals=columns["residual"],
        used=columns["used"],
        statistics=statistics,
        covariates=covariates,
        influences=influences,
        verdict=verdict,
        samples=None,
        sample_names=(),
        notes=notes,
        unproven={} if verdict.found else unproven,
        solution=solution,
    )


def _read_parameters(content: Mapping[str, Any]) -> dict[str, Parameter]:
    return {
        name: Parameter(
            _number(entry["value"]), _number(entry["lower"]), _number(entry["upper"]), entry["unit"]
        )
        for name, entry in content.items()
        if isinstance(entry, Mapping) and "unit" in entry
    }


def _read_notes(content: Mapping[str, Any]) -> tuple[Note, ...]:
    if "remarks" not in content:
        return tuple(Note(str(text)) for text in content["notes"])
    return tuple(Note(n["text"], Severity[n["severity"].upper()]) for n in content["remarks"])


def _read_verdict(content: Mapping[str, Any]) -> Verdict:
    if "verdict_finding" not in content:
        return Verdict.read(str(content["verdict"]))
    finding, reason = Finding(content["verdict_finding"]), str(content["verdict_reason"])
    return Verdict(finding, reason, content["depth_over_error"])


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
