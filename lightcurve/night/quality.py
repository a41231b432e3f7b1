"""The quality of a folder's light frames: measured, judged, and selected by thresholds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.astrometry.few import faintest
from lightcurve.astrometry.register import make_reference, register
from lightcurve.calib.reduce import reduce_frame
from lightcurve.core.data import Detections, FrameStatus, Masters
from lightcurve.core.errors import InputError, LightcurveError, RegistrationError
from lightcurve.core.files import json_text, write_text
from lightcurve.core.flags import PixelFlag
from lightcurve.core.guard import guard_frame
from lightcurve.core.progress import Progress, open_log, silent
from lightcurve.core.registry import did_you_mean
from lightcurve.core.settings import Settings
from lightcurve.core.table_text import csv_text
from lightcurve.frames.entries import Entry
from lightcurve.frames.inventory import Inventory, take_inventory
from lightcurve.frames.read import read_frame
from lightcurve.night.grouping import FrameSet
from lightcurve.night.lights import choose_lights
from lightcurve.night.masters import make_masters
from lightcurve.night.sets import find_sets, reduce_sets
from lightcurve.phot.background import SmoothSky, measure_sky, subtract_sky
from lightcurve.phot.shapes import REGIONS, Shapes, measure_shapes, region_of
from lightcurve.report.quality import save_field_map, save_quality
from lightcurve.setup.camera import settle_camera
from lightcurve.setup.colour import split
from lightcurve.setup.solving import read_samples

__all__ = ["judge_folder"]

# Of each frame; in the order of the table.
NUMBERS = (
    "mid_jd_utc", "exposure_s", "stars", "fwhm_px", "fwhm_arcsec", "ellipticity", "angle_deg",
    *(f"fwhm_{name}" for name in REGIONS), *(f"ellipticity_{name}" for name in REGIONS),
    "sky_adu", "sky_rms_adu", "sky_gradient_adu", "saturated_stars", "saturated_px",
    "transparency", "shift_x_px", "shift_y_px", "step_px",
)  # fmt: skip
MAX_STARS = 5000
APERTURE_FWHM = 2.5  # diameter and a quarter: whose light tells the transparency
MATCH_PX = 3.0
BEST = 0.9  # of the frames: the transparency of that one is 1
# A frame is odd beyond these multiples of the median of its set: at half the peak of a star, a
# fifth more noise of the sky, half the stars, and 0.4 mag less of their light.
WIDER, BRIGHTER_SKY, FEWER, DIMMER = 1.4, 1.5, 0.5, 0.7
TRAILED = 0.3  # ellipticity: a long axis 1.4 times the short one
NEW_NIGHT_DAYS = 0.25  # without a frame: the telescope was pointed anew
JUMP_FWHM = 3.0  # more than the drift from frame to frame: the mount lost its star
_RULE = re.compile(r"\s*([a-z_0-9]+)\s*(<=|>=|<|>)\s*([-+.\deE]+)\s*")
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What was measured of one frame."""

    row: dict[str, Any]
    stars: Detections
    shapes: Shapes
    light: np.ndarray  # (n,) ADU a second in an aperture, of the stars
    shape: tuple[int, int]  # (ny, nx) of what was measured


@dataclass(frozen=True, slots=True)
class Rule:
    """What a frame must hold to be kept."""

    name: str
    relation: str
    limit: float

    def breach(self, row: Mapping[str, Any]) -> str:
        """Say how a frame breaks the rule; empty where it does not. What is not known breaks it."""
        value = row[self.name]
        known = value is not None and np.isfinite(value)
        if known and _HOLDS[self.relation](value, self.limit):
            return ""
        shown = f"{value:.4g}" if known else "not known"
        return f"{self.name} is {shown}, not {self.relation} {self.limit:g}"


def read_rules(texts: Sequence[str]) -> list[Rule]:
    """Read rules such as ``fwhm_px < 4``; raises InputError for what is none."""
    rules = []
    for text in texts:
        match = _RULE.fullmatch(text)
        if match is None or match[1] not in NUMBERS:
            hint = did_you_mean(match[1], NUMBERS) if match else ""
            msg = f"--keep {text!r}: expected NAME < NUMBER or NAME > NUMBER{hint}; names: "
            raise InputError(msg + ", ".join(NUMBERS))
        try:
            rules.append(Rule(match[1], match[2], float(match[3])))
        except ValueError as error:
            msg = f"--keep {text!r}: {match[3]!r} is not a number"
            raise InputError(msg) from error
    return rules


def judge_folder(
    folder: Path,
    settings: Settings,
    out: Path,
    *,
    keep: Sequence[str] = (),
    drop_odd: bool = False,
    progress: Progress = silent,
) -> list[dict[str, Any]]:
    """Measure the quality of every light frame, and say which are kept.

    Parameters
    ----------
    out : Path
        Gets quality.csv, which is a manifest too, quality.json, quality.png, field.png and
        ``masters/`` where there are calibration frames; figures and masters in a folder each where
        frames are of several filters, nights ...
    keep : sequence of str
        Rules such as ``"fwhm_px < 4"``: a frame that breaks one is not used.
    drop_odd : bool
        Nor is one that is worse than the others of its set.

    Returns
    -------
    list of dict
        One a frame: file, use, reason, odd, and `NUMBERS`.

    Raises
    ------
    InputError
        When a rule is none, or there are no light frames.
    """
    rules = read_rules(keep)
    inventory = take_inventory(folder, settings, progress=progress)
    sets = find_sets(inventory, settings, fewest=1)

    def judge(_: FrameSet, one: Inventory, place: Path) -> list[dict[str, Any]]:
        rows = _judge_set(one, settings, place, progress)
        for row in rows:
            reasons = [text for rule in rules if (text := rule.breach(row))]
            reasons += [row["odd"]] * (drop_odd and bool(row["odd"]))
            if row["status"] == FrameStatus.FAILED:
                reasons = [row["reason"]]
            row |= {"use": "no" if reasons else "yes", "reason": "; ".join(reasons)}
        save_quality(place / "quality.png", rows)
        return rows

    done = reduce_sets(inventory, sets, out, judge)
    rows = [row for one in done for row in one.made or ()]
    names = ("file", "use", "reason", "odd", "filter", *NUMBERS)
    table = csv_text(names, ([row[name] for name in names] for row in rows))
    write_text(out / "quality.csv", table)
    write_text(out / "quality.json", json_text(rows, indent=1))
    return rows


def _judge_set(
    inventory: Inventory, settings: Settings, out: Path, progress: Progress
) -> list[dict[str, Any]]:
    """Measure the light frames of an inventory, which belong together."""
    with open_log(out):
        lights = choose_lights(inventory)
        masters, _ = make_masters(inventory, lights, settings, out / "masters", progress=progress)
        camera = settle_camera(read_samples(lights, settings), masters, settings)
        rows, seen = [], {}
        for entry in progress(lights, "Measuring", len(lights)):
            row = {"file": entry.name, "status": FrameStatus.OK, "reason": "", "odd": "",
                   "filter": entry.exposure.filter, **dict.fromkeys(NUMBERS)}  # fmt: skip
            rows.append(row)
            try:
                with guard_frame(entry.path):
                    seen[entry.name] = _measure(
                        entry, row, masters, camera.saturation_adu, settings
                    )
            except LightcurveError as error:
                row |= {"status": FrameStatus.FAILED, "reason": str(error)}
        _compare(list(seen.values()))
        _find_odd([row for row in rows if row["status"] == FrameStatus.OK])
        shapes = _joined([one.shapes for one in seen.values()])
        if shapes.x.size:
            save_field_map(out / "field.png", shapes, next(iter(seen.values())).shape)
    return rows


def _measure(
    entry: Entry,
    row: dict[str, Any],
    masters: Masters | None,
    saturation: float | None,
    settings: Settings,
) -> _Seen:
    """Measure what one frame tells by itself, into its row."""
    import sep

    frame = reduce_frame(read_frame(entry.path, settings=settings), masters)
    frame, stars = split(frame, settings, saturation_adu=saturation, max_stars=MAX_STARS)
    sky = measure_sky(frame.pixels, frame.bad)
    light = np.where(frame.bad == 0, subtract_sky(frame.pixels, sky), 0.0)
    shapes = measure_shapes(light, frame.bad, stars, saturation)
    exposure = frame.exposure
    fwhm = shapes.width
    if np.isnan(fwhm) and len(stars):
        fwhm = float(np.median(stars.fwhm))
    full = (frame.bad & PixelFlag.SATURATED) != 0
    at = np.rint(stars.y).astype(int), np.rint(stars.x).astype(int)
    row |= {
        "mid_jd_utc": exposure.mid_jd_utc, "exposure_s": exposure.exposure_s, "stars": len(stars),
        "fwhm_px": fwhm,
        "fwhm_arcsec": None if exposure.scale_arcsec is None else fwhm * exposure.scale_arcsec,
        "ellipticity": shapes.ellipticity, "angle_deg": shapes.angle_deg,
        "sky_adu": sky.level, "sky_rms_adu": sky.rms,
        "sky_gradient_adu": _gradient(sky, frame.pixels.shape),
        "saturated_stars": int(np.count_nonzero(full[at])),
        "saturated_px": int(np.count_nonzero(full)),
    }  # fmt: skip
    region = region_of(shapes.x, shapes.y, frame.pixels.shape)
    for k, name in enumerate(REGIONS):
        there = shapes.only(region == k)
        row |= {f"fwhm_{name}": there.width, f"ellipticity_{name}": there.ellipticity}
    flux = np.zeros(len(stars))
    if len(stars) and np.isfinite(fwhm):
        pixels = np.ascontiguousarray(light, dtype=np.float32)
        flux = sep.sum_circle(pixels, stars.x, stars.y, APERTURE_FWHM * fwhm / 2, subpix=0)[0]
    return _Seen(row, stars, shapes, flux / (exposure.exposure_s or 1.0), frame.pixels.shape)


def _gradient(sky: SmoothSky, shape: tuple[int, int]) -> float:
    """Difference between the highest and lowest corner of the plane that fits the sky best, ADU.

    Beyond the middles of the outer cells the sky is a constant, and does not count.
    """
    ny, nx = shape
    edge = min(sky.middles[0], ny / 4, nx / 4)
    y, x = np.mgrid[edge : ny - 1 - edge : 16j, edge : nx - 1 - edge : 16j]
    level = sky.at(x.astype(int).ravel(), y.astype(int).ravel())
    plane = np.column_stack([x.astype(int).ravel() / nx, y.astype(int).ravel() / ny, np.ones(256)])
    (along_x, along_y, _), *_ = np.linalg.lstsq(plane, level, rcond=None)
    return float(abs(along_x) + abs(along_y))


def _compare(seen: Sequence[_Seen]) -> None:
    """Measure transparency and tracking, which frames tell by each other, into their rows."""
    if not seen:
        return
    best = max(seen, key=lambda one: len(one.stars))
    stars, shape = best.stars, best.shape
    reference = make_reference(stars.x, stars.y, stars.flux, shape, faintest(stars))
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2, 1.0])
    before: np.ndarray | None = None
    last = np.inf
    for one in seen:
        try:
            matrix = register(one.stars.x, one.stars.y, one.stars.flux, reference).matrix
        except RegistrationError:
            before = None
            continue
        place = matrix @ middle - middle[:2]
        one.row.update(shift_x_px=float(place[0]), shift_y_px=float(place[1]))
        now = np.nan if one.row["mid_jd_utc"] is None else one.row["mid_jd_utc"]
        if before is not None and not now - last > NEW_NIGHT_DAYS:
            one.row["step_px"] = float(np.hypot(*(place - before)))
        before, last = place, now
        one.row["transparency"] = _light_share(one, best, matrix)
    shares = [s for one in seen if (s := one.row["transparency"]) is not None]
    top = float(np.quantile(shares, BEST)) if shares else 1.0
    for one in seen:
        if one.row["transparency"] is not None:
            one.row["transparency"] /= top


def _light_share(one: _Seen, best: _Seen, matrix: np.ndarray) -> float | None:
    """Median share of the light of the best frame's stars that a frame has; None without any."""
    from scipy.spatial import cKDTree

    there = np.column_stack([best.stars.x, best.stars.y, np.ones(len(best.stars))]) @ matrix.T
    away, which = cKDTree(np.column_stack([one.stars.x, one.stars.y])).query(there)
    use = (away < MATCH_PX) & (best.light > 0)
    return float(np.median(one.light[which[use]] / best.light[use])) if use.any() else None


def _find_odd(rows: Sequence[dict[str, Any]]) -> None:
    """Say of each frame in what it is worse than the others."""

    def middle(name: str) -> float:
        known = [row[name] for row in rows if row[name] is not None and np.isfinite(row[name])]
        return float(np.median(known)) if known else float("nan")

    names = ("fwhm_px", "sky_adu", "sky_rms_adu", "stars", "step_px")
    usual = {name: middle(name) for name in names}
    far = usual["step_px"] + JUMP_FWHM * usual["fwhm_px"]
    # Of a sky that was taken off nearly nothing is left: there its noise is the measure.
    brighter = max((BRIGHTER_SKY - 1) * usual["sky_adu"], usual["sky_rms_adu"])
    for row in rows:
        number = {k: np.nan if row[k] is None else row[k] for k in NUMBERS}
        tests = (
            ("wide stars", number["fwhm_px"] > WIDER * usual["fwhm_px"]),
            ("trailed stars", number["ellipticity"] > TRAILED),
            ("bright sky", number["sky_adu"] - usual["sky_adu"] > brighter),
            ("few stars", number["stars"] < FEWER * usual["stars"]),
            ("dim (cloud?)", number["transparency"] < DIMMER),
            ("stars jumped", number["step_px"] > far),
            ("not the field of the others", row["shift_x_px"] is None),
        )
        row["odd"] = "; ".join(word for word, true in tests if true)


def _joined(shapes: Sequence[Shapes]) -> Shapes:
    names = ("x", "y", "fwhm", "e1", "e2")
    none = [np.zeros(0)]
    return Shapes(
        *(np.concatenate(none + [getattr(one, name) for one in shapes]) for name in names)
    )
