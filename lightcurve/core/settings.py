"""All settings of a run: one model for each thing an observer owns or wants, read from TOML.

Everything has a default; an unknown name is an error, so that a typing mistake never passes in
silence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import Colour, Combine, DateOrder, Figures, Site, Stamp, Style
from lightcurve.core.errors import InputError
from lightcurve.core.files import parse_toml, read_text
from lightcurve.core.registry import one_of, registry_of
from lightcurve.core.setting_names import line_of, meant

__all__ = [
    "NO_PROFILE",
    "STANDARDS",
    "CalibrationSettings",
    "CameraSettings",
    "CatalogSettings",
    "DetectorSettings",
    "EquipmentSettings",
    "Figures",
    "FitSettings",
    "ImageSettings",
    "Model",
    "ObserverSettings",
    "SelectSettings",
    "Settings",
    "SiteSettings",
    "SolveSettings",
    "StackSettings",
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

    # Built when first used: a section by itself seldom is, and with all of them it is built anyway.
    model_config = ConfigDict(
        extra="forbid", validate_default=True, frozen=True, defer_build=True, allow_inf_nan=False
    )


Kind = TypeVar("Kind", bound=Model)
UserPath = Annotated[Path, AfterValidator(Path.expanduser)]


def _without_secrets(address: str) -> str:
    """Leave out of an address what nobody else may read, where it may have such."""
    if not {"@", "?"} & {*address}:
        return address
    from lightcurve.core.http import without_secrets

    return without_secrets(address)


# Of a server; what is written or shown of it (records of runs, pages, JSON) has no password or key.
Address = Annotated[str, PlainSerializer(_without_secrets, when_used="json")]


class DetectorSettings(Model):
    """What a detector is like; also the terms of a camera profile (`lightcurve/cameras`)."""

    gain_e_per_adu: float | None = Field(
        default=None, gt=0, le=1000, description="not given, the header's, or measured"
    )
    read_noise_e: float | None = Field(
        default=None, ge=0, le=10000, description="not given, the header's, or measured"
    )
    saturation_adu: float | None = Field(
        default=None, gt=0, le=1e10, description="the level at which a pixel is full"
    )
    linearity_adu: float | None = Field(
        default=None, gt=0, le=1e10, description="the level up to which counts are linear"
    )
    linearity_terms: tuple[float, ...] | None = Field(
        default=None,
        min_length=2,
        max_length=6,
        description="a0 + a1 v + a2 v^2 ... of counts above the bias makes them linear",
    )
    telescope_diameter_m: float | None = Field(
        default=None, gt=0, le=100, description="its aperture, for scintillation"
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
    dark_current_e_per_s: float = Field(
        default=0.0, ge=0, description="of a pixel; where no darks were taken off"
    )
    colour: Colour | None = Field(
        default=None, description="of a colour mosaic; without: G, in AstroImageJ's style mosaic"
    )


class SiteSettings(Model):
    """The observatory; overrides the header's."""

    latitude_deg: float | None = Field(default=None, ge=-90, le=90, description="north positive")
    longitude_deg: float | None = Field(default=None, ge=-180, le=360, description="east positive")
    height_m: float | None = Field(default=None, ge=-500, le=9000, description="above the sea")
    name: str = Field(default="", description="of the observatory")

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


class EquipmentSettings(Model):
    """Your own camera, telescope and place, where headers do not say it: headers go before."""

    camera_name: str = Field(
        default="", description="as headers name it: frames of another camera are left alone"
    )
    telescope_name: str = Field(
        default="", description="as headers name it: frames of another are left alone"
    )
    camera: DetectorSettings = DetectorSettings()
    site: SiteSettings = SiteSettings()


class ObserverSettings(Model):
    """You, for the files that are handed in."""

    name: str = Field(default="", description="your own")
    aavso_code: str = Field(default="", description="of the observer, for AAVSO")
    secondary_codes: tuple[str, ...] = Field(default=(), description="of others, for AAVSO")
    camera_kind: Literal["CCD", "CMOS", "DSLR"] | None = Field(
        default=None, description="for AAVSO"
    )
    observatory: str = Field(default="", description="short name, for ExoFOP")
    telescope_design: str = Field(
        default="", description="of the telescope, for the Minor Planet Center: reflector"
    )


class TimeSettings(Model):
    """Which of the header's clocks is believed, and what must be added to it."""

    keyword: str | None = Field(default=None, description="clock of the header to believe")
    stamp: Stamp | None = Field(
        default=None, description="moment of the exposure that its clock marks"
    )
    utc_offset_hours: float | None = Field(
        default=None, ge=-14, le=14, description="by which its clock is ahead of UTC"
    )
    exposure_s: float | None = Field(
        default=None, gt=0, le=DAY_S, description="of light frames, where the header is wrong"
    )
    cadence_s: float | None = Field(
        default=None, gt=0, le=DAY_S, description="from plane to plane of a cube"
    )
    date_order: DateOrder | None = Field(
        default=None, description="of dates such as 03/04/2020: dmy or mdy"
    )
    clock_correction_s: float = Field(
        default=0.0, ge=-1e8, le=1e8, description="added to every time"
    )


class TargetSettings(Model):
    """The star whose light curve is wanted."""

    name: str = Field(default="", description="of star or planet, or 'RA,DEC'")
    ra: str | None = Field(default=None, description="02:04:10.3, or degrees")
    dec: str | None = Field(default=None, description="+46:41:16, or degrees")
    planet_file: UserPath | None = Field(default=None, description="what is known of its planet")


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

    clip_sigma: float = Field(
        default=5.0, gt=0, description="beyond it a pixel of a stack is left out"
    )
    memory_mb: int = Field(default=500, ge=16, description="that combining frames may take")
    temperature_tolerance_c: float = Field(
        default=1.0, ge=0, description="between darks and light frames"
    )
    allow_mismatch: bool = Field(
        default=False, description="use calibration frames of another filter or gain"
    )
    masters: tuple[UserPath, ...] = Field(
        default=(), description="folders of calibration frames and masters of any night"
    )
    bias: tuple[UserPath, ...] = Field(
        default=(), description="folders of bias frames, or masters; no others"
    )
    dark: tuple[UserPath, ...] = Field(
        default=(), description="folders of darks, or masters; no others"
    )
    flat: tuple[UserPath, ...] = Field(
        default=(), description="folders of flats, or masters; no others"
    )
    hot_pixel_sigma: float = Field(
        default=5.0,
        gt=0,
        description="what a pixel may add to a light frame's noise, in multiples of that noise",
    )
    bad_pixel_map: UserPath | None = Field(
        default=None, description="FITS, or a list in TOML or YAML"
    )
    warm_from_lights: bool = Field(
        default=True, description="ask light frames how warm pixels are, with darks or without"
    )
    cosmic_rays: bool = Field(default=False, description="mark the pixels that they hit; slow")


class SolveSettings(Model):
    """Plate solving."""

    solvers: tuple[Annotated[str, AfterValidator(one_of("solver"))], ...] = Field(
        default_factory=lambda: registry_of("solver").names(),
        description="in the order in which they are tried",
    )
    index: tuple[UserPath, ...] = Field(
        default=(), description="Astrometry.net index files, or folders of them"
    )
    server: Address = Field(
        default="https://nova.astrometry.net", description="address that solver nova asks"
    )
    upload: Literal["sources", "image"] = Field(
        default="sources", description="what it is sent: places of stars, or the image"
    )
    public: bool = Field(default=False, description="whether the server may show it to everyone")
    plain_http: bool = Field(default=False, description="send the API key in the clear")
    scale_arcsec: float | None = Field(
        default=None, gt=0, description="of a pixel; not given, the header's"
    )
    scale_tolerance: float = Field(
        default=0.2, gt=0, lt=1, description="part by which the scale may be off"
    )
    radius_deg: float = Field(
        default=5.0, gt=0, le=180, description="searched around the place in the header"
    )
    parity: Literal["either", "sky", "mirrored"] = Field(
        default="either", description="whether frames show the sky as a mirror does"
    )
    blind: bool = Field(default=False, description="search all the sky")
    timeout_s: float = Field(default=300.0, gt=0, description="for one frame")


class ApertureSettings(Model):
    """The measuring apertures, pixels; empty means chosen from the seeing."""

    style: Style = Field(default=Style.LIGHTCURVE, description="in whose way stars are measured")
    radii: tuple[float, ...] = Field(
        default=(), description="of the apertures, px; empty, chosen from the seeing"
    )
    annulus: tuple[float, float] | None = Field(
        default=None, description="inner and outer radius of the sky, px; not given, by the seeing"
    )
    centroid: Annotated[str, AfterValidator(one_of("centroid"))] | None = Field(
        default=None, description="not given, that of the style"
    )
    max_centroid_shift_px: float = Field(
        default=3.0, gt=0, description="from where the star should be"
    )
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

    max_stars: int = Field(default=150, ge=2, description="that are measured")
    max_comparisons: int = Field(default=30, ge=1, description="that are compared with")
    file: UserPath | None = Field(
        default=None, description="of stars: AstroImageJ's .apertures or .radec, or a table"
    )
    comparisons: tuple[str, ...] = Field(
        default=(),
        description="'RA,DEC', pixels 'X,Y' from 0, or ids; empty, chosen by what they are worth",
    )
    exclude: tuple[str, ...] = Field(default=(), description="not to compare with; as those above")
    check: str | None = Field(default=None, description="check star; as those above")
    anchor: str | None = Field(
        default=None,
        description="'X,Y' of the target where pixels above are not of the reference frame",
    )
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

    enabled: bool = Field(default=True, description="fit a transit where one is known")
    covariates: tuple[Covariate, ...] | None = Field(
        default=None,
        description="detrend by these, of any size; not given, by all, as large as physics allows",
    )
    forbidden: tuple[Covariate, ...] = Field(default=(), description="never detrend by these")
    sample: bool = Field(default=True, description="sample the posterior")
    dilution: tuple[float, float] | None = Field(
        default=None, description="the target's share of the light in the aperture, and its error"
    )
    max_steps: int = Field(default=4000, ge=100, le=1_000_000, description="of the sampling")

    @field_validator("covariates", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or "none" not in value:
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

    files: tuple[UserPath, ...] = Field(default=(), description="catalogues given by hand")
    offline: bool = Field(default=False, description="ask no service; what is remembered serves")
    cache_days: float = Field(default=30.0, ge=0, description="that an answer is remembered")
    timeout_s: float = Field(default=60.0, gt=0, le=3600, description="for an answer")
    max_rows: int = Field(default=20000, ge=1, le=1_000_000, description="of an answer")
    servers: dict[str, Address] = Field(
        default={}, description="service to the address asked instead"
    )

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

    threshold_sigma: float = Field(default=5.0, gt=0, le=1000, description="of detection")
    finder: Annotated[str, AfterValidator(one_of("finder"))] = Field(
        default="peaks", description="how sources are found"
    )
    background_box_px: int | None = Field(
        default=None, ge=10, description="of the map of the sky; not given, by the seeing"
    )
    apertures_fwhm: tuple[float, ...] = Field(
        default=(0.8, 1.0, 1.3, 1.7, 2.2), min_length=1, description="radii of the apertures"
    )
    main_aperture_fwhm: float = Field(default=1.3, gt=0, description="of magnitudes and limits")
    psf: Literal["iterative", "single", "none"] = Field(
        default="iterative", description="fitted again to what it leaves over, once, or not"
    )
    cosmic_rays: Literal["auto", "yes", "no"] = Field(
        default="auto", description="mark the pixels that they hit"
    )
    border_px: int = Field(default=0, ge=0, description="pixels at the edges left out")
    trails: bool = Field(default=True, description="mark trails of satellites")
    band: str | None = Field(
        default=None, description="of the zero point; the frame's filter if not given"
    )
    standards: Annotated[str, AfterValidator(one_of("service"))] | None = Field(
        default=None, description="catalogue of the zero point, by name"
    )
    colour_term: bool = Field(default=False, description="fit one with the zero point")
    extinction_mag_per_airmass: float | None = Field(
        default=None, ge=0, le=5, description="for a zero point above the air"
    )
    services: tuple[Annotated[str, AfterValidator(_standards_or_one)], ...] | None = Field(
        default=None, description="asked; all that fit if not given"
    )
    mpc_code: str | None = Field(
        default=None,
        pattern="^[0-9A-Za-z]{3}$",
        description="observatory of the Minor Planet Center",
    )
    transients: bool = Field(default=True, description="look for sources that no catalogue knows")
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


class StackSettings(Model):
    """How the frames of a field become one image."""

    combine: Combine = Field(default=Combine.CLIPPED, description="into one image")
    clip_sigma: float = Field(default=4.0, gt=0, description="beyond it a pixel is left out")
    center: str | None = Field(default=None, description="of the stack: 'RA,DEC'")
    size: tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]] | None = Field(
        default=None, description="of the stack, pixels: width, height; not given, all frames"
    )
    scale_arcsec: float | None = Field(
        default=None, gt=0, le=3600, description="of a pixel of the stack; not given, the frames'"
    )
    north_up: bool = Field(default=False, description="and east left; else as the frames lie")
    sky_from_neighbours: bool | None = Field(
        default=None,
        description="sky of each frame by those before and after; not given, in J, H and K",
    )
    max_fwhm: float = Field(default=1.5, gt=1, description="of a frame, in medians of all")
    max_rms_px: float = Field(default=0.5, gt=0, description="of a frame's stars on the others'")
    min_transparency: float = Field(
        default=0.5, ge=0, lt=1, description="of a frame, beside the clear ones"
    )


class Settings(Model):
    """All settings of a run."""

    format_version: int = Field(default=FORMAT_VERSION, description="of this file")
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
    stack: StackSettings = StackSettings()
    fit: FitSettings = FitSettings()
    observer: ObserverSettings = ObserverSettings()
    equipment: EquipmentSettings = EquipmentSettings()
    seed: int = Field(default=1, ge=0, description="of everything random")
    workers: int | None = Field(
        default=None,
        ge=1,
        description="processes that measure; not given, as many as the frames are worth",
    )
    cluster: str | None = Field(default=None, description="address of a Dask scheduler")
    figures: Figures = Field(
        default=Figures.ALL, description="drawn: all, those of the page, or none"
    )

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
        When the file is missing, too large, not TOML, or holds an unknown or impossible value: the
        line is named, and for an unknown name the one that may be meant.
    """
    path = Path(path)
    text = read_text(path, "a settings file")
    content = parse_toml(text, path, "a settings file")
    of_a_run = {"lightcurve", "settings"} <= content.keys()
    values = content["settings"] if of_a_run else content
    above = ("settings",) if of_a_run else ()
    return validated(
        Settings, values, path.name, line=lambda place: line_of(text, (*above, *place))
    )


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


PLAIN = {  # instead of what speaks of Python's types, by pydantic's kind of error
    "tuple_type": "should be a list, between [ and ]",
    "model_type": "should be a section with settings of its own",
}


def validated(
    model: type[Kind],
    values: dict[str, Any],
    origin: str,
    *,
    options: dict[str, str] | None = None,
    line: Callable[[Sequence[str]], int | None] = lambda _: None,
) -> Kind:
    """Validate nested values into a model, as `make_settings` does; so it raises InputError.

    line : finds the line of the file in which a value stands, by the parts of its name.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        parts = [part for part in first["loc"] if isinstance(part, str)]
        number = line(parts)
        origin = origin if number is None else f"{origin}, line {number}"
        if first["type"] == "extra_forbidden":
            better = meant(model, parts)
            hint = f"; did you mean {better}?" if better else ""
            msg = f"{origin}: no setting {'.'.join(parts)}{hint}".removeprefix(": ")[:500]
            raise InputError(msg) from error
        where = ".".join(parts)
        message = PLAIN.get(first["type"], first["msg"].removeprefix("Value error, "))
        # A check of a whole section says itself which options it is about, and what it found.
        whole = first["type"] == "value_error" and isinstance(first["input"], dict | Model)
        named = "" if whole else where
        place = (options or {}).get(named) or ": ".join(filter(None, (origin, named)))
        got = "" if isinstance(first["input"], dict | Model) else f", got {first['input']!r}"
        msg = f"{place}: {message}{got}".removeprefix(": ")[:500]
        raise InputError(msg) from error
