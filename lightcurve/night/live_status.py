"""A light curve that grows, as the terminal and the page show it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from lightcurve.core.constants import UNIX_ZERO_JD
from lightcurve.core.data import FrameStatus, Measurements
from lightcurve.core.dates import iso_from_jd
from lightcurve.curve.form import star_curves
from lightcurve.night.alarms import Alarm, find_alarms, on_this_side, saturation_share
from lightcurve.night.live import LiveLook
from lightcurve.night.live_curve import transparency
from lightcurve.transit.ephemeris import dip_shape, predict_transit

__all__ = ["Status", "status_of"]

NOW_DAYS = 1 / 24  # a last frame older than this is of another night: its own time counts


@dataclass(frozen=True, slots=True)
class Contact:
    """A moment of the predicted transit."""

    name: str  # "ingress", "mid" or "egress"
    utc: str
    minutes: float  # until then; negative afterwards


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """The curve so far, (n,) arrays: BJD_TDB, relative flux, its error, the predicted flux."""

    bjd_tdb: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    predicted: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Status:
    """One light curve at one look.

    Attributes
    ----------
    title : str
        Target, filter, night.
    measured, lost : int
        Frames.
    file, utc : str
        Of the last frame.
    numbers : mapping of str to float
        Of the last frame: ``fwhm_px``, ``sky``, ``drift_px`` since the first or a flip, `airmass`,
        ``saturation`` and ``transparency`` as shares, ``check_percent`` off its level; NaN where
        one is not known.
    contacts : tuple of Contact
        Empty without a planet.
    points : Points or None
    alarms : tuple of Alarm
    waiting : str
        What is awaited; empty where there is a curve.
    """

    title: str
    measured: int = 0
    lost: int = 0
    file: str = ""
    utc: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    contacts: tuple[Contact, ...] = ()
    points: Points | None = None
    alarms: tuple[Alarm, ...] = ()
    waiting: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """Everything about it, for programs and the page."""
        return asdict(self)


def status_of(look: LiveLook, quiet_s: float = 0.0, now_s: float | None = None) -> Status:
    """Collect what is shown of a light curve.

    Parameters
    ----------
    quiet_s : float
        Since the last file came, seconds.
    now_s : float, optional
        Seconds since 1970; the computer's clock.
    """
    good = [result for result in look.results if result.status == FrameStatus.MEASURED]
    m, curve = look.measurements, look.curve
    last = look.results[-1] if look.results else None
    jd = m.jd_utc[-1] if m is not None else None
    points = None
    if curve is not None and m is not None:
        planet = look.target.planet
        predicted = None
        if planet is not None:
            predicted = 1 - planet.rp_over_rs**2 * dip_shape(planet, curve.bjd_tdb)
        points = Points(curve.bjd_tdb, curve.flux, curve.flux_err, predicted)
    return Status(
        title=_title(look),
        measured=len(good),
        lost=len(look.lost),
        file=last.file if last else "",
        utc=iso_from_jd(float(jd))[:19] if jd is not None else "",
        numbers=_numbers(m, look) if m is not None else {},
        contacts=_contacts(look, m, now_s) if m is not None else (),
        points=points,
        alarms=find_alarms(look, quiet_s),
        waiting=look.waiting,
    )


def _title(look: LiveLook) -> str:
    exposure = look.scene.reference.exposure if look.scene else None
    words = [look.target.name, (exposure.filter or "") if exposure else ""]
    return ", ".join(word for word in words if word)


def _numbers(m: Measurements, look: LiveLook) -> dict[str, float]:
    curve = look.curve
    check = float("nan")
    if curve is not None and curve.recipe is not None and curve.recipe.check_row is not None:
        light = curve.recipe.check_flux
        if light is None:
            light = star_curves(m, curve)[0][:, curve.recipe.check_row]
        check = 100 * float(light[-1] / np.nanmedian(light) - 1)
    x, y = (shift[on_this_side(m)] for shift in (m.shift_x, m.shift_y))
    drift = np.hypot(x[-1] - x[0], y[-1] - y[0])
    return {
        "fwhm_px": float(m.fwhm_px[-1]),
        "sky": float(m.sky[-1]),
        "drift_px": float(drift),
        "airmass": float(m.airmass[-1]),
        "saturation": saturation_share(m, look),
        "transparency": float(transparency(curve, m)[-1]) if curve is not None else float("nan"),
        "check_percent": check,
    }


def _contacts(look: LiveLook, m: Measurements, now_s: float | None) -> tuple[Contact, ...]:
    """Tell when the transit begins and ends, by the clock or, of an old night, the last frame's."""
    planet = look.target.planet
    if planet is None:
        return ()
    now = (time.time() if now_s is None else now_s) / 86400 + UNIX_ZERO_JD
    now = now if abs(now - m.jd_utc[-1]) < NOW_DAYS else float(m.jd_utc[-1])
    transit = predict_transit(planet, float(np.nanmedian(m.bjd_tdb)))
    barycentric = float(m.bjd_tdb[-1] - m.jd_utc[-1])
    moments = {"ingress": transit.ingress, "mid": transit.mid, "egress": transit.egress}
    return tuple(
        Contact(name, iso_from_jd(at - barycentric)[11:16], 1440 * (at - barycentric - now))
        for name, at in moments.items()
        if np.isfinite(at)
    )
