"""What a run left in its folder, read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import ConfigDict, Field

from lightcurve.core.columns import STARS
from lightcurve.core.data import About, LightCurve, Note, Severity, StarPlan, StarRole
from lightcurve.core.errors import InputError
from lightcurve.core.files import digest, read_toml
from lightcurve.core.files import read_text as read_file
from lightcurve.core.settings import Model, validated
from lightcurve.tables.columns import read_table
from lightcurve.tables.run_tables import read_model

__all__ = [
    "TRUST",
    "Trusted",
    "aligned_model",
    "comparison_places",
    "digest_of",
    "read_fit_json",
    "read_record",
    "read_stars",
    "read_trust",
    "table_of",
]

T = TypeVar("T")
WHAT, MAX_BYTES = "a file of a run", 50_000_000
TRUST = "trust.json"

Pair = Annotated[list[T], Field(min_length=2, max_length=2)]


class _Part(Model):
    """What is read back of a file that may have been edited; the rest of it is nobody's concern."""

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)


class _Site(_Part, extra="forbid"):
    latitude_deg: float
    longitude_deg: float
    height_m: float = 0.0
    name: str = ""


class _Dilution(_Part, extra="forbid"):
    value: float
    err: float
    source: str
    change: float


class _Night(_Part):
    target: str = ""
    ra_deg: float = 0.0
    dec_deg: float = 0.0
    exposure_s: float = 0.0
    filter: str | None = None
    telescope: str = ""
    binning: Pair[int] | None = None
    shape: Pair[int] | None = None
    radius_px: float = 0.0
    annulus_px: Pair[float] | None = None
    scale_arcsec: float = 0.0
    comparisons: int = 0
    check: str = ""
    site: _Site | None = None
    dilution: _Dilution | None = None
    planet: dict[str, Any] | None = None


class _Stars(_Part):
    neb_radius_arcmin: float = 0.0


class _Settings(_Part):
    observer: dict[str, Any] | None = None
    stars: _Stars = _Stars()


class _Record(_Part):
    night: _Night = _Night()
    settings: _Settings = _Settings()


class _Trust(_Part):
    light_curve: str = ""
    limit_percent: float | None = None
    conclusions: list[str] = Field(default=[], max_length=20)
    too_small: list[str] = Field(default=[], max_length=20)


def table_of(path: Path, name: str) -> Path:
    """Take the table of a name out of a run folder; any other path is passed on.

    Raises InputError where a folder has none: of several runs in it, it names some.
    """
    if not path.is_dir():
        return path
    if (path / name).is_file():
        return path / name
    runs = sorted(one.parent.name for one in path.glob(f"*/{name}"))
    there = f"; there are runs in it: {', '.join(runs[:4])}" if runs else ""
    msg = f"{path}: no {name} of a finished run in it{there or '; give a table, or a run folder'}"
    raise InputError(msg)


def read_record(folder: Path) -> dict[str, Any]:
    """Read run.toml.

    Returns
    -------
    dict
        Empty where there is no such file.

    Raises
    ------
    InputError
        When there is one that cannot be read, or in which what is read back is of another kind.
    """
    path = folder / "run.toml"
    record = read_toml(path, WHAT, max_bytes=MAX_BYTES) if path.exists() else {}
    validated(_Record, record, path.name)
    return record


def read_fit_json(folder: Path) -> dict[str, Any] | None:
    """Read fit.json; None where there is no such file.

    Raises InputError when there is one that cannot be read, or is no fit of ours.
    """
    content = _read_json(folder / "fit.json")
    if content is not None:
        validated(_Record, content, "fit.json")
    return content


def _read_json(path: Path) -> dict[str, Any] | None:
    """Read an object of JSON; None where there is no such file."""
    if not path.exists():
        return None
    try:
        content = json.loads(read_file(path, WHAT, max_bytes=MAX_BYTES))
    except (ValueError, RecursionError) as error:
        msg = f"{path}: not JSON: {error}"
        raise InputError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: not a file of ours"
        raise InputError(msg)
    return content


@dataclass(frozen=True, slots=True)
class Trusted:
    """What transits put into a night's own noise said of it: trust.json.

    Attributes
    ----------
    limit_percent : float or None
        The depth from which on 95 of 100 are found; None where no depth is.
    conclusions : tuple of str
        In words, a line each.
    too_small : tuple of str
        Those of them that say that errors are too small.
    """

    limit_percent: float | None
    conclusions: tuple[str, ...]
    too_small: tuple[str, ...]

    @property
    def notes(self) -> tuple[Note, ...]:
        """Say it to whoever reads the fit; warn of errors that are too small."""
        return tuple(
            Note(
                f"by transits put into this night: {text}",
                Severity.WARNING if text in self.too_small else Severity.INFO,
                About.TRUST,
            )
            for text in self.conclusions
        )


def digest_of(curve: LightCurve) -> str:
    """Tell one light curve from another by its fluxes and errors, in the order of time."""
    there = np.flatnonzero(np.isfinite(curve.flux) & np.isfinite(curve.bjd_tdb))
    rows = there[np.argsort(curve.bjd_tdb[there], kind="stable")]
    return digest((curve.flux[rows], curve.flux_err[rows]))


def read_trust(folder: Path, curve: LightCurve) -> Trusted | None:
    """Read trust.json; None where there is none, or it is of another light curve.

    Raises InputError when there is one that cannot be read.
    """
    content = _read_json(folder / TRUST)
    told = None if content is None else validated(_Trust, content, TRUST)
    if told is None or told.light_curve != digest_of(curve):
        return None
    lines = (tuple(told.conclusions), tuple(told.too_small))
    return Trusted(told.limit_percent, *lines)


def read_stars(folder: Path) -> StarPlan:
    """Read stars.csv."""
    table = read_table(folder / STARS.name, STARS)
    return StarPlan(
        star_id=table.words("star"),
        role=table.words("role"),
        reason=table.words("reason"),
        ra_deg=table.numbers("ra_deg"),
        dec_deg=table.numbers("dec_deg"),
        x_ref=table.numbers("x_ref"),
        y_ref=table.numbers("y_ref"),
        flux_ref=table.numbers("flux_ref"),
        peak_ref=table.numbers("peak_ref"),
    )


def comparison_places(run: Path) -> tuple[tuple[float, float, float, float], ...]:
    """Tell where the comparison stars are.

    Returns right ascension and declination, degrees, x and y in the reference frame, pixels, of
    each.
    """
    plan = read_stars(run)
    used = plan.role == StarRole.COMPARISON
    columns = (plan.ra_deg, plan.dec_deg, plan.x_ref, plan.y_ref)
    return tuple(zip(*(values[used].tolist() for values in columns), strict=True))


def aligned_model(run: Path, curve: LightCurve) -> dict[str, np.ndarray]:
    """Read model.csv in the order of the light curve.

    Returns (n,) arrays by column; NaN, and not used, for frames that the fit did not have.
    """
    model = read_model(run / "model.csv")
    keys = zip(model["file"], model["jd_utc"], strict=True)
    row = {(str(file), float(jd)): k for k, (file, jd) in enumerate(keys)}
    frames = zip(curve.file, curve.jd_utc, strict=True)
    place = np.array([row.get((str(file), float(jd)), -1) for file, jd in frames])
    aligned = {
        name: np.where(place >= 0, model[name][place], np.nan)
        for name in ("trend", "model", "residual")
    }
    return aligned | {"used": (place >= 0) & model["used"][place]}
