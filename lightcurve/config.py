"""All settings of a run, read from TOML and checked.

What stands here is what was *asked for*; what a header said is an `Exposure`. The parts are in
`lightcurve.settings_models` and can be imported from here.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from lightcurve.errors import InputError
from lightcurve.files import read_toml
from lightcurve.registry import registry_of
from lightcurve.settings_models import (
    ApertureSettings,
    CalibrationSettings,
    CameraSettings,
    CatalogSettings,
    FitSettings,
    ImageSettings,
    Model,
    SiteSettings,
    SolveSettings,
    StarSettings,
    TargetSettings,
    TimeSettings,
)

__all__ = [
    "FORMAT_VERSION",
    "ApertureSettings",
    "CalibrationSettings",
    "CameraSettings",
    "CatalogSettings",
    "FitSettings",
    "ImageSettings",
    "Settings",
    "SiteSettings",
    "SolveSettings",
    "StarSettings",
    "TargetSettings",
    "TimeSettings",
    "make_settings",
    "read_settings",
]

FORMAT_VERSION = 1


class Settings(Model):
    """All settings of a run."""

    format_version: int = FORMAT_VERSION
    target: TargetSettings = TargetSettings()
    camera: CameraSettings = CameraSettings()
    site: SiteSettings = SiteSettings()
    time: TimeSettings = TimeSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    catalogs: CatalogSettings = CatalogSettings()  # before `solve`, which depends on it
    solve: SolveSettings = Field(default_factory=SolveSettings)  # its solvers are yet to load
    apertures: ApertureSettings = ApertureSettings()
    stars: StarSettings = StarSettings()
    image: ImageSettings = ImageSettings()
    fit: FitSettings = FitSettings()
    seed: int = Field(default=1, ge=0)
    workers: int | None = Field(default=None, ge=1, description="as many as the frames are worth")
    cluster: str | None = Field(default=None, description="address of a Dask scheduler")

    @property
    def weights(self) -> str:
        """Of the comparison stars: AstroImageJ adds their fluxes as they are."""
        return "sum" if self.apertures.style == "aij" else self.stars.weights

    @model_validator(mode="after")
    def _readable(self) -> Settings:
        if self.format_version > FORMAT_VERSION:
            msg = (
                f"settings are of format {self.format_version}, this program reads up to "
                f"{FORMAT_VERSION}: update lightcurve"
            )
            raise ValueError(msg)
        return self

    @field_validator("solve")
    @classmethod
    def _ask_nobody(cls, solve: SolveSettings, info: ValidationInfo) -> SolveSettings:
        """Leave the solvers that ask a server out where no service is to be asked."""
        catalogs = info.data.get("catalogs")  # not there when it is itself at fault
        if catalogs is None or not catalogs.offline:
            return solve
        solvers = registry_of("solver")
        own = tuple(name for name in solve.solvers if not solvers.get(name).asks_a_server)
        if solve.solvers and not own:
            msg = (
                f"solver {solve.solvers[0]} asks a server, which --offline forbids: name another "
                "--solver"
            )
            raise ValueError(msg)
        return solve.model_copy(update={"solvers": own})


def read_settings(path: str | Path) -> Settings:
    """Read settings from a TOML file.

    Parameters
    ----------
    path : path-like
        At most 1 MB of TOML.

    Returns
    -------
    Settings

    Raises
    ------
    InputError
        When the file is missing, too large, not TOML, or holds an unknown or impossible value.
    """
    return make_settings(read_toml(path, "a settings file"), Path(path).name)


def make_settings(
    values: dict[str, Any], origin: str = "", *, options: dict[str, str] | None = None
) -> Settings:
    """Validate nested values into `Settings`.

    Parameters
    ----------
    values : dict
        As from TOML: section to name to value.
    origin : str
        Name of the file they are from; named in the error.
    options : dict, optional
        Setting (``"section.name"``) to the command-line option that gave it, named instead.

    Returns
    -------
    Settings

    Raises
    ------
    InputError
        Naming the first value at fault.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(part for part in first["loc"] if isinstance(part, str))
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            raise InputError(_unknown(first["loc"], origin)) from error
        # A check of a whole section says itself which options it is about, and what it found.
        whole = first["type"] == "value_error" and isinstance(first["input"], dict | Model)
        named = "" if whole else where
        place = (options or {}).get(named) or ": ".join(filter(None, (origin, named)))
        got = "" if isinstance(first["input"], dict | Model) else f", got {first['input']!r}"
        msg = f"{place}: {message}{got}".removeprefix(": ")[:500]
        raise InputError(msg) from error


def _unknown(loc: tuple[int | str, ...], origin: str) -> str:
    """Say that there is no such setting, and which one may be meant."""
    *sections, name = map(str, loc)
    model: Any = Settings
    for section in sections:
        model = getattr(model.model_fields.get(section), "annotation", None)
        if not hasattr(model, "model_fields"):
            return f"{origin}: no setting {'.'.join(map(str, loc))}".removeprefix(": ")
    near = get_close_matches(name, model.model_fields, n=1)
    meant = f"; did you mean {near[0]}?" if near else ""
    return f"{origin}: no setting {'.'.join((*sections, name))}{meant}".removeprefix(": ")[:500]
