"""A finished light curve with all that its figures show: of a night at hand, or read from files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.data import Finding, LightCurve, Parameter, Planet, TransitFit
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import InputError
from lightcurve.core.flags import NO_POINT
from lightcurve.core.robust import robust_scatter
from lightcurve.curve.neb import Neighbour
from lightcurve.night.fit_products import predicted_events
from lightcurve.night.keep import read_night
from lightcurve.night.reduced import KEPT, Night
from lightcurve.report.html import as_printed, in_words
from lightcurve.report.layout import WHOLE
from lightcurve.tables.light_curves import ColumnChoice, read_curve
from lightcurve.tables.run_folder import aligned_model, read_fit_json, read_record
from lightcurve.tables.run_tables import read_lightcurve, read_model, read_neighbours
from lightcurve.transit.ephemeris import make_planet
from lightcurve.transit.fit_values import fit_from_json, planet_values
from lightcurve.transit.smooth import smooth_model

log = logging.getLogger(__name__)
SHOWN = {  # of a fit: how each is called, and how many of its units it is shown in
    "mid_time_bjd_tdb": ("mid-transit", 1.0, "BJD (TDB)"),
    "o_minus_c_minutes": ("O \N{MINUS SIGN} C", 1.0, "min"),
    "rp_over_rs": ("Rp/R*", 1.0, ""),
    "depth_percent": ("depth", 1.0, "%"),
    "duration_days": ("duration", 24.0, "h"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A light curve, and what is known of it.

    Attributes
    ----------
    about : mapping
        What ``night`` of run.toml says; empty for a table of another program.
    check : tuple of str and (n,) float array, or None
        Name of the check star, and its relative flux.
    neighbours : tuple of Neighbour
        Stars that might feign the transit, within ``neb_radius_arcmin``.
    name : str
        Of file or folder, for a light curve of which nothing else is known.
    night : Night or None
        All that was measured, with or without pixels, where it is at hand.
    """

    curve: LightCurve
    about: Mapping[str, Any]
    fit: TransitFit | None = None
    planet: Planet | None = None
    check: tuple[str, np.ndarray] | None = None
    neighbours: tuple[Neighbour, ...] = ()
    neb_radius_arcmin: float = 0.0
    name: str = "light curve"
    night: Night | None = None

    @property
    def good(self) -> np.ndarray:
        """Points that count, (n,) bool: used by the fit, or not flagged."""
        if self.fit is not None:
            return self.fit.used
        curve = self.curve
        return np.isfinite(curve.flux) & ((curve.flags & int(NO_POINT)) == 0)

    def need_night(self) -> Night:
        """Give all that was measured; raises InputError where it is not at hand."""
        if self.night is None:
            msg = f"{self.name}: what was measured is not at hand"
            raise InputError(msg)
        return self.night

    @property
    def predicted(self) -> dict[str, float]:
        """Ingress and egress, BJD_TDB, by the ephemeris."""
        if self.planet is None or not np.isfinite(self.curve.bjd_tdb).any():
            return {}
        return predicted_events(self.planet, self.curve)

    @property
    def smooth(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Time and flux of the model, (k,) each, at times of its own; None without one."""
        if self.fit is None or self.planet is None:
            return None
        exposure_s = float(self.about.get("exposure_s") or 0.0)
        return smooth_model(self.fit, self.planet, exposure_s, self.curve.bjd_tdb)

    @property
    def whose(self) -> str:
        """Whose light curve of which night and filter it is."""
        jd = self.curve.jd_utc[np.isfinite(self.curve.jd_utc)]
        days = (
            [iso_from_jd(float(moment)).split("T")[0] for moment in (jd.min(), jd.max())]
            if jd.size
            else []
        )
        several = len(days) == 2 and np.ptp(jd) > 1
        when = f"{' to '.join(days) if several else days[0]} UT" if days else ""
        parts = (self.about.get("target") or self.name, when, self.about.get("filter"))
        return ", ".join(str(part) for part in parts if part)

    @property
    def headline(self) -> str:
        """What the light curve shows, in a line."""
        return f"{self.whose}: {self._finding()}"

    def _finding(self) -> str:
        flux, fit = self.curve.flux[self.good], self.fit
        if fit is None:
            scatter = (
                100 * robust_scatter(np.diff(flux), about=0.0) / np.sqrt(2)
                if len(flux) > 2
                else np.nan
            )
            told = f", {scatter:.2g} % from point to point" if np.isfinite(scatter) else ""
            return f"{len(flux)} points{told}"
        if "depth_percent" in fit.parameters:
            depth = _whole(fit.parameters["depth_percent"])
            return f"{fit.verdict.finding.value}, depth {depth}"
        if fit.verdict.finding is Finding.INCONCLUSIVE:
            return "whether there is a transit cannot be told"
        return (
            "predicted transit not observed"
            if fit.verdict.finding is Finding.NOT_OBSERVED
            else "no transit"
        )

    @property
    def facts(self) -> tuple[str, ...]:
        """How it was observed, and what the fit gave, a line each."""
        return tuple(line for line in (self._observed(), self._fitted()) if line)

    def _observed(self) -> str:
        told, good = self.about, self.good
        radius, scale = told.get("radius_px"), told.get("scale_arcsec")
        on_sky = f" ({radius * scale:.1f} arcsec)" if radius and scale else ""
        n = told.get("comparisons")
        exposure = told.get("exposure_s")
        parts = (
            told.get("telescope"),
            f"filter {told['filter']}" if told.get("filter") else "",
            f"{exposure:g} s exposures" if exposure else "",
            f"{int(good.sum())} of {len(good)} points",
            f"aperture {radius:.1f} px{on_sky}" if radius else "",
            f"{n} comparison star{'s' if n > 1 else ''}" if n else "",
        )
        return ", ".join(str(part) for part in parts if part)

    def _fitted(self) -> str:
        fit = self.fit
        if fit is None:
            return ""
        shown = [
            f"{label} {_whole(fit.parameters[name], unit, times)}"
            for name, (label, times, unit) in SHOWN.items()
            if name in fit.parameters
        ]
        scatter = fit.statistics.get("residual_scatter_percent", np.nan)
        left = [f"scatter of residuals {scatter:.2f} %"] if np.isfinite(scatter) else []
        return ", ".join([*(shown or [fit.verdict.reason]), *left])


def _whole(parameter: Parameter, unit: str | None = None, times: float = 1.0) -> str:
    """Write a value with its error and unit, to stay on one line of a figure."""
    return as_printed(in_words(parameter, unit, times)).replace(" ", WHOLE)


def describe_night(night: Night) -> dict[str, Any]:
    """Collect what later steps, such as a submission, need to know of a night.

    Of plain values; what is not known is left out.
    """
    exposure, target, measured = night.scene.reference.exposure, night.target, night.measurements
    known = {
        "target": target.name,
        "ra_deg": target.ra_deg,
        "dec_deg": target.dec_deg,
        "exposure_s": exposure.exposure_s,
        "filter": exposure.filter,
        "binning": exposure.binning and list(exposure.binning),
        "camera": exposure.camera,
        "shape": list(exposure.shape),
        "telescope": exposure.telescope,
        "site": exposure.site and asdict(exposure.site),
        "radius_px": night.recipe.radius_px,
        "annulus_px": list(measured.annulus),
        "scale_arcsec": night.scene.solution.scale_arcsec,
        "comparisons": len(night.recipe.comparison_rows),
        "check": night.recipe.check,
        "dilution": night.curve.dilution and asdict(night.curve.dilution),
        "planet": target.planet and planet_values(target.planet),
    }
    return {name: value for name, value in known.items() if value is not None}


def finish(night: Night, neighbours: tuple[Neighbour, ...] = ()) -> Finished:
    """Take a night at hand."""
    recipe, check = night.recipe, None
    if recipe.check is not None:
        judged = recipe.check_flux
        check = (
            (recipe.check, judged) if judged is not None else check_of(night.curve, recipe.check)
        )
    return Finished(
        curve=night.curve,
        about=describe_night(night),
        fit=night.fit,
        planet=night.target.planet,
        check=check,
        neighbours=neighbours,
        neb_radius_arcmin=night.settings.stars.neb_radius_arcmin,
        night=night,
    )


def check_of(curve: LightCurve, name: str | None) -> tuple[str, np.ndarray] | None:
    """Find the check star's curve, as measured; None where it is not known."""
    if curve.stars is None or name not in curve.stars.names:
        return None
    return name, curve.stars.flux[:, curve.stars.names.index(name)]


def read_finished(path: Path, choice: ColumnChoice | None = None) -> Finished:
    """Read the folder of a run or of the fit of a table, or any light curve.

    Raises
    ------
    InputError
        Where there is neither, or a file in the folder cannot be read.
    """
    if not path.is_dir():
        return Finished(read_curve(path, choice, any_scale=True), {}, name=path.name)
    content = read_fit_json(path)
    if content is not None and isinstance(content.get("night"), dict):
        return _fit_of_table(path, content)
    if not (path / "lightcurve.csv").is_file():
        msg = f"{path}: no lightcurve.csv in it: give the folder of a finished run, or a table"
        raise InputError(msg)
    curve = read_lightcurve(path / "lightcurve.csv")
    nebs = path / "nebs.csv"
    neighbours = tuple(read_neighbours(nebs)) if nebs.is_file() else ()
    night = _kept_night(path, curve)
    if night is not None:
        return finish(night, neighbours)
    record = read_record(path)
    about, settings = record.get("night", {}), record.get("settings", {})
    return Finished(
        curve=curve,
        about=about,
        fit=None if content is None else fit_from_json(content, aligned_model(path, curve)),
        planet=make_planet(about["planet"], "run.toml") if "planet" in about else None,
        check=check_of(curve, about.get("check")),
        neighbours=neighbours,
        neb_radius_arcmin=float(settings.get("stars", {}).get("neb_radius_arcmin", 0.0)),
        name=path.name,
    )


def _fit_of_table(path: Path, content: Mapping[str, Any]) -> Finished:
    """Read the folder of a fit that had no run: its curve is that of its model.csv."""
    model = read_model(path / "model.csv")
    unknown = np.full(len(model["file"]), np.nan)
    curve = LightCurve(
        file=model["file"],
        jd_utc=model["jd_utc"],
        bjd_tdb=model["bjd_tdb"],
        flux=model["rel_flux"],
        flux_err=model["rel_flux_err"],
        target_flux=unknown,
        comparison_flux=unknown,
        flags=np.zeros(len(unknown), np.uint16),
        covariates={},
    )
    about = content["night"]
    return Finished(
        curve=curve,
        about=about,
        fit=fit_from_json(content, model),
        planet=make_planet(about.get("planet", {}), "fit.json"),
        name=path.name,
    )


def _kept_night(path: Path, curve: LightCurve) -> Night | None:
    """Read all that a run measured; None where it is of another version, or of another curve."""
    if not (path / KEPT).is_file():
        return None
    try:
        night = read_night(path)
    except InputError as error:
        log.warning("%s; drawn from its tables alone", error)
        return None
    # Not by names of files: a table has no line breaks in them. Frames that were lost have no flux.
    told, kept = (flux[np.isfinite(flux)] for flux in (curve.flux, night.curve.flux))
    same = np.array_equal(told, kept)
    return night if same else None
