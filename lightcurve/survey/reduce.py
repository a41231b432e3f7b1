"""One night of a survey, reduced by a process of this machine or a worker of a cluster."""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.data import LightCurve
from lightcurve.core.errors import InputError, LightcurveError, Why
from lightcurve.core.files import json_text
from lightcurve.core.flags import NO_POINT
from lightcurve.core.guard import guard, reason_of
from lightcurve.core.settings import Settings
from lightcurve.curve.detrend import point_to_point
from lightcurve.night.nights import reduce_nights
from lightcurve.night.reduced import Night
from lightcurve.night.sets import Reduced
from lightcurve.tables.survey_index import CurveRow, NightRow, State

DIED = "the process that reduced it died, again and again (out of memory?)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a night."""

    night: NightRow
    curves: tuple[CurveRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ReduceNight:
    """What a process does with a night; it travels once.

    out : of the survey, whole path.
    """

    settings: Settings
    out: Path

    def __call__(self, night: NightRow) -> Outcome:
        """Reduce a night; whatever stops it is its reason."""
        start, worked = time.monotonic(), time.process_time()
        curves: tuple[CurveRow, ...] = ()
        state, reason = State.DONE, ""
        place, folder = self.out / night.run, Path(night.folder)
        try:
            with guard(InputError), _quiet():
                place.mkdir(parents=True, exist_ok=True)
                runs = reduce_nights(folder, self.settings, place)
                curves = tuple(_curve_row(run, night, self.out) for run in runs)
        except LightcurveError as error:
            # Another process is at it: of a survey that was killed, whose worker still works.
            state = State.WAITING if error.why is Why.HELD else State.FAILED
            reason = reason_of(error).removeprefix(f"{night.folder}: ")
        done = replace(
            night, state=state, reason=reason, seconds=time.monotonic() - start,
            processor_s=time.process_time() - worked, memory_mb=peak_mb(), finished=time.time(),
            worker=f"{socket.gethostname()}:{os.getpid()}",
        )  # fmt: skip
        return Outcome(done, curves)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let messages go into the run's own log alone."""
    messages = logging.getLogger("lightcurve")
    before = messages.level, messages.propagate
    messages.setLevel(logging.INFO)
    messages.propagate = False
    try:
        yield
    finally:
        messages.setLevel(before[0])
        messages.propagate = before[1]


def peak_mb() -> float:
    """Tell how much memory this process has had at most, MB; 0 where the system does not."""
    try:
        import resource
    except ImportError:
        return 0.0
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 1e6 if sys.platform == "darwin" else size / 1024


def _curve_row(run: Reduced[Night], night: NightRow, out: Path) -> CurveRow:
    """Lay a light curve out for the index."""
    frames = run.frames
    row = CurveRow(
        night.folder, frames.label, run.folder.relative_to(out).as_posix(), State.DONE,
        filter=frames.exposure.filter or "", night=frames.nights[0], frames=len(frames.lights),
    )  # fmt: skip
    if run.made is None:
        reason = reason_of(run.error) if run.error else ""
        return replace(row, state=State.FAILED, reason=reason)
    made = run.made
    return replace(
        row, target=made.target.name, ra_deg=made.target.ra_deg, dec_deg=made.target.dec_deg,
        **{**_of_curve(made.curve), **_of_fit(made)},
        numbers=json_text({name: one.record for name, one in made.products.summary.items()}),
    )  # fmt: skip


def _of_curve(curve: LightCurve) -> dict[str, Any]:
    """Tell how many points are measured, from when to when, and their scatter."""
    good = np.isfinite(curve.flux) & np.isfinite(curve.bjd_tdb)
    good &= (curve.flags & int(NO_POINT)) == 0
    time, flux = curve.bjd_tdb[good], curve.flux[good]
    if not time.size:
        return {}
    scatter = point_to_point(flux[np.argsort(time)])
    return {
        "measured": int(good.sum()),
        "first_bjd_tdb": float(time.min()),
        "last_bjd_tdb": float(time.max()),
        "scatter_percent": 100 * scatter if np.isfinite(scatter) else None,
    }


def _of_fit(night: Night) -> dict[str, Any]:
    """Tell the verdict, and where a transit was found its numbers."""
    if night.fit is None:
        return {"verdict": "" if night.verdict is None else str(night.verdict)}
    told: dict[str, Any] = {
        "verdict": str(night.fit.verdict),
        "scatter_percent": night.fit.statistics["residual_scatter_percent"],
    }
    names = {"mid_time_bjd_tdb": "mid_time_err_days", "rp_over_rs": "rp_over_rs_err"}
    for name, error in names.items() if night.fit.found else ():
        one = night.fit.parameters[name]
        told |= {name: one.value, error: (one.upper - one.lower) / 2}
    return told
