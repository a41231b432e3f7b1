"""All settings of a run: one model for each thing an observer owns or wants, read from TOML.

Everything has a default; an unknown name is an error, so that a typing mistake never passes in
silence.
"""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Colour, DateOrder, Site, Stamp, Style
from lightcurve.core.errors import InputError
from lightcurve.core.files import read_toml
from lightcurve.core.registry import did_you_mean, one_of, registry_of

__all__ = [
    "NO_PROFILE",
    "STANDARDS",
    "CalibrationSettings",
    "CameraSettings",
    "CatalogSettings",
    "DetectorSettings",
    "FitSettings",
    "ImageSettings",
    "Model",
    "SelectSettings",
    "Settings",
    "SiteSettings",
    "SolveSettings",
    "StarSettings",
    "TargetSettings",
    "TimeSettings",
    "make_settings",
    "read_settings",
    "validated",
]


FORMAT_VERSION = 1
NO_PROFILE = "none"  # takes the header by itself
STANDARDS = "standards"  # among the services to ask: those that have the band


class Model(BaseModel):
    """Settings that nobody changes once they are made."""

    model_config = ConfigDict(extra="forbid", validate_default=True, frozen=True)


Kind = TypeVar("Kind", bound=Model)


class DetectorSettings(Model):
    """What a detector is like; also the terms of a camera profile (`lightcurve/cameras`)."""

    gain_e_per_adu: float | None = Field(default=None, gt=0, le=1000)
    read_noise_e: float | None = Field(default=None, ge=0, le=10000)
    saturation_adu: float | None = Field(default=None, gt=0, le=1e10)
    linearity_adu: float | None = Field(default=None, gt=0, le=1e10)
    linearity_terms: tuple[float, ...] | None = Field(
        default=None,
        min_length=2,
        max_length=6,
        description="a0 + a1 v + a2 v^2 ... of counts above the bias makes them linear",
    )
    telescope_diameter_m: float | None = Field(
        default=None, gt=0, le=100, description="for scintillation"
    )
    mosaic: Literal["RGGB", "BGGR", "GRBG", "GBRG", "none"] | None = Field(
        default=None, description="colours of the first 2 x 2 pixels in the file, row by row"
    )


def _a_profile(name: str) -> str:
    """Check the name of a camera profile; one of the user's own, a TOML file, as it is read."""
    return name if name == NO_PROFILE or name.endswith(".toml") else one_of("camera profile")(name)


class CameraSettings(DetectorSettings):
    """The camera; each value given here overrides the header's."""

    profile: Annotated[str, AfterValidator(_a_profile)] | None = Field(
        default=None, description="by name or a TOML file; not given, the one that the header calls"
    )
    dark_current_e_per_s: float = Field(default=0.0, ge=0)
    colour: Colour | None = Field(
        default=None, description="of a colour mosaic; without: G, in AstroImageJ's style mosaic"
    )


class SiteSettings(Model):
    """The observatory; overrides the header's."""

    latitude_deg: float | None = Field(default=None, ge=-90, le=90)
    longitude_deg: float | None = Field(default=None, ge=-180, le=360, description="east positive")
    height_m: float | None = Field(default=None, ge=-500, le=9000)
    name: str = ""

    def site(self) -> Site | None:
        """Where the observatory is, with no header beside it; None where that is not given.

        Raises InputError where only half of it is: a header may have the other half, a table not.
        """
        given = {"--latitude": self.latitude_deg, "--longitude": self.longitude_deg}
        missing = [option for option, value in given.items() if value is None]
        if len(missing) == 1:
            msg = f"half a place: give {missing[0]}, too (degrees, north and east positive)"
            raise InputError(msg)
        if self.latitude_deg is None or self.longitude_deg is None:
            return None
        return Site(self.latitude_deg, self.longitude_deg, self.height_m or 0.0, self.name)


class TimeSettings(Model):
    """Which of the header's clocks is believed, and what must be added to it."""

    keyword: str | None = None
    stamp: Stamp | None = None
    utc_offset_hours: float | None = Field(default=None, ge=-14, le=14)
    exposure_s: float | None = Field(
        default=None, gt=0, le=DAY_S, description="of light frames, where the header is wrong"
    )
    cadence_s: float | None = Field(
        default=None, gt=0, le=DAY_S, description="from plane to plane of a cube"
    )
    date_order: DateOrder | None = Field(
        default=None, description="of dates such as 03/04/2020: dmy or mdy"
    )
    clock_correction_s: float = 0.0


class TargetSettings(Model):
    """The star whose light curve is wanted."""

    name: str = ""
    ra: str | None = None
    dec: str | None = None
    planet_file: Path | None = None


class SelectSettings(Model):
    """Which light frames of a folder are reduced; all of the target that are not told."""

    filter: str | None = Field(default=None, description="of its headers")
    object: str | None = Field(default=None, description="OBJECT of its headers")
    night: str | None = Field(
        default=None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="date of its evening"
    )
    join_nights: bool | None = Field(
        default=None, description="one light curve of all nights; not given, where they are short"
    )


class CalibrationSettings(Model):
    """How master frames are made and applied."""

    clip_sigma: float = Field(default=5.0, gt=0)
    memory_mb: int = Field(default=500, ge=16)
    temperature_tolerance_c: float = Field(default=1.0, ge=0)
    allow_mismatch: bool = False
    masters: tuple[Path, ...] = Field(
        default=(), description="folders of calibration frames and masters of any night"
    )
    bias: tuple[Path, ...] = Field(
        default=(), description="folders of bias frames, or masters; no others"
    )
    dark: tuple[Path, ...] = Field(
        default=(), description="folders of darks, or masters; no others"
    )
    flat: tuple[Path, ...] = Field(
        default=(), description="folders of flats, or masters; no others"
    )
    # What a pixel may add to a light frame's noise, in multiples of that noise per pixel
    hot_pixel_sigma: float = Field(default=5.0, gt=0)
    bad_pixel_map: Path | None = None
    warm_from_lights: bool = Field(
        default=True, description="ask light frames how warm pixels are, with darks or without"
    )
    cosmic_rays: bool = False


class SolveSettings(Model):
    """Plate solving."""

    solvers: tuple[Annotated[str, AfterValidator(one_of("solver"))], ...] = Field(
        default_factory=lambda: registry_of("solver").names()
    )
    index: tuple[Path, ...] = ()
    server: str = "https://nova.astrometry.net"
    upload: Literal["sources", "image"] = "sources"
    public: bool = False  # whether the server may show it to everyone
    plain_http: bool = False  # send the API key in the clear
    scale_arcsec: float | None = Field(default=None, gt=0)
    scale_tolerance: float = Field(default=0.2, gt=0, lt=1)
    radius_deg: float = Field(default=5.0, gt=0, le=180)
    parity: Literal["either", "sky", "mirrored"] = "either"
    blind: bool = False
    timeout_s: float = Field(default=300.0, gt=0)


class ApertureSettings(Model):
    """The measuring apertures, pixels; empty means chosen from the seeing."""

    style: Style = Style.LIGHTCURVE
    radii: tuple[float, ...] = ()
    annulus: tuple[float, float] | None = None
    centroid: Annotated[str, AfterValidator(one_of("centroid"))] | None = Field(
        default=None, description="not given, that of the style"
    )
    max_centroid_shift_px: float = Field(default=3.0, gt=0)
    fwhm_factor: float | None = Field(
        default=None, gt=0, description="style aij: radius over mean width"
    )

    @model_validator(mode="after")
    def _ordered(self) -> ApertureSettings:
        if self.fwhm_factor is not None and (self.style != Style.AIJ or len(self.radii) > 1):
            msg = "--fwhm-factor is of --style aij, with one --radius (of the base) or none"
            raise ValueError(msg)
        if not all(0 < r < inf for r in self.radii):
            radii = " ".join(f"{r:g}" for r in self.radii)
            msg = f"aperture radii (--radius) must be positive, got {radii}"
            raise ValueError(msg)
        if self.annulus and not 0 < self.annulus[0] < self.annulus[1] < inf:
            inner, outer = self.annulus
            msg = f"the sky annulus (--annulus) needs 0 < inner < outer, got {inner:g} {outer:g}"
            raise ValueError(msg)
        if self.annulus and max(self.radii, default=0) > self.annulus[0]:
            msg = (
                f"an aperture (--radius) of {max(self.radii):g} px reaches into the sky annulus "
                f"(--annulus), which begins at {self.annulus[0]:g} px"
            )
            raise ValueError(msg)
        return self


class StarSettings(Model):
    """Which stars are measured and compared with."""

    max_stars: int = Field(default=150, ge=2)
    max_comparisons: int = Field(default=30, ge=1)
    comparisons: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    check: str | None = None
    weights: Annotated[str, AfterValidator(one_of("comparison weighting"))] | None = Field(
        default=None, description="not given, that of the style"
    )
    neb_radius_arcmin: float = Field(
        default=2.5, ge=0, le=60, description="stars checked as eclipsing binaries; 0 for none"
    )


Covariate = Annotated[str, AfterValidator(one_of("covariate"))]


LEAST_SHARE = 0.01  # of the light: less is another star's transit


class FitSettings(Model):
    """The transit fit and its detrending."""

    enabled: bool = True
    covariates: tuple[Covariate, ...] | None = Field(
        default=None,
        description="detrend by these, of any size; not given, by all, as large as physics allows",
    )
    forbidden: tuple[Covariate, ...] = ()
    sample: bool = True
    dilution: tuple[float, float] | None = Field(
        default=None, description="the target's share of the light in the aperture, and its error"
    )
    max_steps: int = Field(default=4000, ge=100, le=1_000_000)

    @field_validator("covariates", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        if value is None or "none" not in list(value):
            return value
        if len(value) > 1:
            msg = "none goes alone"
            raise ValueError(msg)
        return ()

    @model_validator(mode="after")
    def _consistent(self) -> FitSettings:
        both = sorted(set(self.covariates or ()) & set(self.forbidden))
        if both:
            msg = f"{both[0]} is both asked for and forbidden as a covariate"
            raise ValueError(msg)
        share, error = self.dilution or (1.0, 0.0)
        if not (LEAST_SHARE <= share <= 1 and 0 <= error <= 1):
            msg = (
                f"the target's share of the light (--dilution) is from {LEAST_SHARE:g} to 1, its "
                f"error from 0 to 1, got {share:g} {error:g}"
            )
            raise ValueError(msg)
        return self


class CatalogSettings(Model):
    """Catalogues and services, all of them optional."""

    files: tuple[Path, ...] = Field(default=(), description="catalogues given by hand")
    offline: bool = False
    cache_days: float = Field(default=30.0, ge=0)
    timeout_s: float = Field(default=60.0, gt=0, le=3600)
    max_rows: int = Field(default=20000, ge=1, le=1_000_000)
    servers: dict[str, str] = Field(default={}, description="service to the address asked instead")

    @model_validator(mode="after")
    def _addresses(self) -> CatalogSettings:
        for name, address in self.servers.items():
            if not address.startswith(("https://", "http://")):
                msg = f"the address of {name} must start with https:// or http://"
                raise ValueError(msg)
        return self


def _standards_or_one(name: str) -> str:
    return name if name == STANDARDS else one_of("service")(name)


class ImageSettings(Model):
    """How one frame becomes a catalogue."""

    threshold_sigma: float = Field(default=5.0, gt=0, le=1000)
    finder: Annotated[str, AfterValidator(one_of("finder"))] = "peaks"
    background_box_px: int | None = Field(default=None, ge=10)
    apertures_fwhm: tuple[float, ...] = Field(default=(0.8, 1.0, 1.3, 1.7, 2.2), min_length=1)
    main_aperture_fwhm: float = Field(default=1.3, gt=0, description="of magnitudes and limits")
    psf: Literal["iterative", "single", "none"] = "iterative"
    cosmic_rays: Literal["auto", "yes", "no"] = "auto"
    border_px: int = Field(default=0, ge=0, description="pixels at the edges left out")
    trails: bool = True
    band: str | None = Field(
        default=None, description="of the zero point; the frame's filter if not given"
    )
    standards: Annotated[str, AfterValidator(one_of("service"))] | None = Field(
        default=None, description="catalogue of the zero point, by name"
    )
    colour_term: bool = False
    extinction_mag_per_airmass: float | None = Field(default=None, ge=0, le=5)
    services: tuple[Annotated[str, AfterValidator(_standards_or_one)], ...] | None = Field(
        default=None, description="asked; all that fit if not given"
    )
    mpc_code: str | None = Field(
        default=None,
        pattern="^[0-9A-Za-z]{3}$",
        description="observatory of the Minor Planet Center",
    )
    transients: bool = True
    injected: int = Field(
        default=600, ge=0, le=100_000, description="stars of the completeness curve"
    )

    @model_validator(mode="after")
    def _main_is_one(self) -> ImageSettings:
        if self.main_aperture_fwhm not in self.apertures_fwhm:
            msg = (
                f"the main aperture, {self.main_aperture_fwhm:g} FWHM, must be one of "
                f"{', '.join(f'{value:g}' for value in self.apertures_fwhm)}"
            )
            raise ValueError(msg)
        return self


class Settings(Model):
    """All settings of a run."""

    format_version: int = FORMAT_VERSION
    target: TargetSettings = TargetSettings()
    select: SelectSettings = SelectSettings()
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
    def colour(self) -> Colour:
        """What is measured of a colour camera: green, where nothing else is wanted.

        Half of the pixels are, and its band is near to V. AstroImageJ measures mosaics as they are.
        """
        aij = self.apertures.style == Style.AIJ
        return self.camera.colour or (Colour.MOSAIC if aij else Colour.GREEN)

    @property
    def weights(self) -> str:
        """Of the comparison stars: AstroImageJ adds their fluxes as they are."""
        if self.stars.weights:
            return self.stars.weights
        weightings = registry_of("comparison weighting")
        return next(w.name for w in weightings if w.of_aij == (self.apertures.style == Style.AIJ))

    @model_validator(mode="before")
    @classmethod
    def _border_of_the_image(cls, values: Any) -> Any:
        """Read ``camera.border_px`` of old settings, of which and its twin the larger held."""
        camera = values.get("camera") if isinstance(values, dict) else None
        image = values.get("image", {}) if isinstance(values, dict) else None
        if not (isinstance(camera, dict) and "border_px" in camera and isinstance(image, dict)):
            return values
        old, own = camera["border_px"], image.get("border_px", 0)
        both = isinstance(old, int) and isinstance(own, int)
        kept = {name: value for name, value in camera.items() if name != "border_px"}
        border = {"border_px": max(old, own) if both else old}
        return {**values, "camera": kept, "image": {**image, **border}}

    @model_validator(mode="after")
    def _weighed_as_the_style_does(self) -> Settings:
        given = self.stars.weights
        if (
            given is not None
            and self.apertures.style == Style.AIJ
            and not registry_of("comparison weighting").get(given).of_aij
        ):
            msg = f"--weights {given} is not of --style aij, which adds fluxes as they are"
            raise ValueError(msg)
        return self

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
    """Read settings from a TOML file of at most 1 MB; the record of a run, run.toml, is one.

    Raises
    ------
    InputError
        When the file is missing, too large, not TOML, or holds an unknown or impossible value.
    """
    content = read_toml(path, "a settings file")
    if {"lightcurve", "settings"} <= content.keys():
        content = content["settings"]
    return make_settings(content, Path(path).name)


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

    Raises
    ------
    InputError
        Naming the first value at fault.
    """
    return validated(Settings, values, origin, options=options)


def validated(
    model: type[Kind],
    values: dict[str, Any],
    origin: str,
    *,
    options: dict[str, str] | None = None,
) -> Kind:
    """Validate nested values into a model, as `make_settings` does; so it raises InputError."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(part for part in first["loc"] if isinstance(part, str))
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            raise InputError(_unknown(model, first["loc"], origin)) from error
        # A check of a whole section says itself which options it is about, and what it found.
        whole = first["type"] == "value_error" and isinstance(first["input"], dict | Model)
        named = "" if whole else where
        place = (options or {}).get(named) or ": ".join(filter(None, (origin, named)))
        got = "" if isinstance(first["input"], dict | Model) else f", got {first['input']!r}"
        msg = f"{place}: {message}{got}".removeprefix(": ")[:500]
        raise InputError(msg) from error


def _unknown(model: Any, loc: tuple[int | str, ...], origin: str) -> str:
    """Say that there is no such setting, and which one may be meant."""
    *sections, name = map(str, loc)
    for section in sections:
        model = getattr(model.model_fields.get(section), "annotation", None)
        if not hasattr(model, "model_fields"):
            return f"{origin}: no setting {'.'.join(map(str, loc))}".removeprefix(": ")
    meant = did_you_mean(name, model.model_fields)
    return f"{origin}: no setting {'.'.join((*sections, name))}{meant}".removeprefix(": ")[:500]
