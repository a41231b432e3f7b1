"""What a plan leaves behind: a table, JSON, a calendar file and figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core import times
from lightcurve.core.coordinates import unit_vectors
from lightcurve.core.data import Products
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.files import json_text, write_text
from lightcurve.core.progress import open_log
from lightcurve.core.table_text import csv_text
from lightcurve.report.tonight import Curve, NightShown, save_night
from lightcurve.tonight.calendar import calendar_text
from lightcurve.tonight.places import local_time
from lightcurve.tonight.transits import Chance

if TYPE_CHECKING:
    from lightcurve.tonight.story import Ahead, Night

__all__ = ["SHOWN", "night_words", "plan_values", "shown_rows"]

MOST_DRAWN = 12
MINUTES = 1440.0
HALF_MINUTE = 0.5 / MINUTES
MOMENTS = ("first", "ingress", "mid", "egress", "last", "flip")
NUMBERS = (
    "share", "ingress_share", "egress_share", "before_min", "after_min", "moon_deg", "flip_minute",
    "depth_percent", "minute_percent", "depth_err_percent", "mid_time_err_min", "score",
)  # fmt: skip
SHOWN = ("planet", "first UTC", "mid", "last", "+-", "local", "seen %", "altitude", "Moon",
         "flip", "depth %", "G", "error %", "S/N", "")  # fmt: skip


def clock(jd: float) -> str:
    """Write the time of day, UTC, to the minute; empty for NaN."""
    return "" if math.isnan(jd) else iso_from_jd(jd + HALF_MINUTE)[11:16]


def minutes_unsure(chance: Chance) -> str:
    """Write one sigma of the mid-time in minutes, or hours where they are many."""
    minutes = MINUTES * chance.mid_err_days
    if math.isnan(minutes):
        return "?"
    return f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.0f} h"


def remarks(chance: Chance) -> str:
    """Say what speaks against a transit."""
    unsure = "its ephemeris has no error" if math.isnan(chance.mid_err_days) else "time unsure"
    return unsure if chance.unsure else ""


def shown_rows(night: Night, zone: tzinfo | None, most: int) -> Iterator[tuple[Any, ...]]:
    """Lay out the first transits of a night for a terminal, by the columns `SHOWN`."""
    for one in night.chances[:most]:
        g_mag = one.planet.g_mag
        flip = f"{clock(one.flip)} (+{one.flip_minute:.0f})" if one.flip_minute >= 0 else ""
        yield (
            one.planet.name, clock(one.first), clock(one.mid), clock(one.last), minutes_unsure(one),
            f"{local_time(one.mid + HALF_MINUTE, zone):%H:%M}", f"{100 * one.share:.0f}",
            " ".join(f"{value:.0f}" for value in one.altitudes_deg),
            "" if math.isnan(one.moon_deg) else f"{one.moon_deg:.0f}", flip,
            f"{one.depth_percent:.2f}", "" if g_mag is None else f"{g_mag:.1f}",
            "" if math.isnan(one.depth_err_percent) else f"{one.depth_err_percent:.2f}",
            "" if math.isnan(one.score) else f"{one.score:.0f}", remarks(one),
        )  # fmt: skip


def chance_values(chance: Chance, zone: tzinfo | None) -> dict[str, Any]:
    """Lay a transit out for programs: moments in UTC, angles in degrees."""
    planet = chance.planet
    return {
        "planet": planet.name, "ra_deg": planet.ra_deg, "dec_deg": planet.dec_deg,
        "g_mag": planet.g_mag, "epoch": chance.epoch, "mid_bjd_tdb": chance.mid_bjd_tdb,
        "mid_err_min": MINUTES * chance.mid_err_days,
        **{f"{name}_utc": _utc(getattr(chance, name)) for name in MOMENTS},
        "mid_local": f"{local_time(chance.mid, zone):%Y-%m-%dT%H:%M:%S%z}",
        **dict(zip(("altitude_first_deg", "altitude_mid_deg", "altitude_last_deg"),
                   chance.altitudes_deg, strict=True)),
        **{name: getattr(chance, name) for name in NUMBERS},
        "unsure": chance.unsure, "source": planet.source,
    }  # fmt: skip


def _utc(jd: float) -> str | None:
    return None if math.isnan(jd) else iso_from_jd(jd + 0.5 / 86400)[:19] + "Z"


def night_row(night: Night, plan: Ahead) -> dict[str, Any]:
    """Lay out what is to be known of a night."""
    dark = night.sky.dark(plan.limits.sun_deg)
    return {
        "evening": night.sky.evening,
        "dark_utc": [[_utc(start), _utc(end)] for start, end in dark],
        "dark_hours": sum(24 * (end - start) for start, end in dark),
        "moon_lit": night.sky.moon_lit,
        "zone": zone_name(night, plan),
    }


def night_words(night: Night, plan: Ahead) -> str:
    """Say what is to be known of a night."""
    dark = night.sky.dark(plan.limits.sun_deg)
    spans = " and ".join(f"{clock(start)}-{clock(end)} UTC" for start, end in dark)
    if dark == ((night.sky.first, night.sky.last),):
        spans = "all day"
    return (
        f"Night of {night.sky.evening}: dark {spans or 'never'} (Sun below "
        f"{plan.limits.sun_deg:g}), Moon {night.sky.moon_lit:.0%} lit, "
        f"{len(night.chances)} transits; local times {zone_name(night, plan)}"
    )


def zone_name(night: Night, plan: Ahead) -> str:
    """Name the time zone of local times, with its offset from UTC in the middle of a night."""
    return f"{local_time(night.sky.first + 0.5, plan.zone):%Z, UTC%z}"


def plan_values(plan: Ahead) -> dict[str, Any]:
    """Lay a plan out for JSON."""
    return {
        "site": {**asdict(plan.site), "source": plan.site_source},
        "planets": {"looked_at": plan.n_planets, "source": plan.planets_source},
        "limits": asdict(plan.limits),
        "expected_by": plan.promise.source,
        "nights": [
            {
                **night_row(night, plan),
                "transits": [chance_values(one, plan.zone) for one in night.chances],
            }
            for night in plan.nights
        ],
    }


def told(chance: Chance, zone: tzinfo | None) -> str:
    """Say of a transit in lines what a calendar shows."""
    unsure = minutes_unsure(chance)
    lines = [
        f"ingress {clock(chance.ingress)}, middle {clock(chance.mid)} +- {unsure}",
        f"egress {clock(chance.egress)} UTC",
        f"middle {local_time(chance.mid + HALF_MINUTE, zone):%H:%M %Z}",
        f"seen {chance.share:.0%}, altitude "
        + ", ".join(f"{value:.0f}" for value in chance.altitudes_deg),
        f"depth {chance.depth_percent:.2f} %",
    ]
    if not math.isnan(chance.depth_err_percent):
        lines[-1] += f" +- {chance.depth_err_percent:.2f} %"
        lines[-1] += f", mid-time +- {chance.mid_time_err_min:.1f} min expected"
    if not math.isnan(chance.flip):
        lines.append(f"meridian {clock(chance.flip)} UTC, minute {chance.flip_minute:.0f}")
    if not math.isnan(chance.moon_deg):
        lines.append(f"Moon {chance.moon_deg:.0f} degrees away")
    return "\n".join([*lines, *filter(None, [remarks(chance)])])


def write_plan(out: Path, plan: Ahead, now: datetime | None = None) -> Products:
    """Write all products of a plan."""
    with open_log(out):
        return _write(out, plan, now)


def _write(out: Path, plan: Ahead, now: datetime | None) -> Products:
    chances = [(one, night) for night in plan.nights for one in night.chances]
    rows = [
        {"evening": night.sky.evening, **chance_values(one, plan.zone)} for one, night in chances
    ]
    names = ["evening", *chance_values(chances[0][0], plan.zone)] if chances else ["evening"]
    events = calendar_text(((one, told(one, plan.zone)) for one, _ in chances), plan.site, now)
    paths = {
        "tonight.json": write_text(out / "tonight.json", json_text(plan_values(plan), indent=2)),
        "tonight.csv": write_text(
            out / "tonight.csv", csv_text(names, [[*row.values()] for row in rows])
        ),
        "tonight.ics": write_text(out / "tonight.ics", events),
    }
    for night in plan.nights:
        if night.chances:
            name = f"{night.sky.evening}.png"
            paths[name] = draw(out / name, night, plan)
    return Products(out, paths, {}, {})


def draw(path: Path, night: Night, plan: Ahead) -> Path:
    """Draw the best transits of a night."""
    sky, drawn = night.sky, night.chances[:MOST_DRAWN]
    zenith = times.zenith(sky.jd, plan.site)
    curves = tuple(
        Curve(
            one.planet.name, np.degrees(np.arcsin(np.clip(zenith @ unit_vectors(
                one.planet.ra_deg, one.planet.dec_deg), -1, 1))),
            (one.first, one.last), (one.ingress, one.mid, one.egress),
            one.mid_err_days, one.flip,
        )
        for one in drawn
    )  # fmt: skip
    shown = NightShown(sky.jd, sky.sun_deg, sky.moon_deg, curves, plan.limits.altitude_deg)
    n = len(night.chances)
    where = plan.site.name or f"{plan.site.latitude_deg:+.3f} {plan.site.longitude_deg:+.3f}"
    title = f"{where}, night of {sky.evening}: {n} transit{'s' * (n != 1)}"
    facts = [f"Moon {sky.moon_lit:.0%} lit"]
    if n > len(drawn):
        facts[0] += f"; the first {len(drawn)} are drawn"
    return save_night(path, shown, title=title, facts=facts)
