"""The story of a survey: many folders in, their nights reduced as one queue, an index out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lightcurve.core.errors import InputError
from lightcurve.core.processes import LOADED, spread, usable, warm
from lightcurve.core.progress import Progress, open_log, silent, stage
from lightcurve.core.settings import Settings
from lightcurve.night.workers import dask_client
from lightcurve.survey.find import find_nights, look_into
from lightcurve.survey.reduce import DIED, Outcome, ReduceNight
from lightcurve.tables.survey_index import (
    INDEX,
    CurveRow,
    NightRow,
    State,
    SurveyIndex,
    curves_of,
    index_of,
    nights_of,
    open_index,
)

__all__ = ["Survey", "look_at_survey", "reduce_survey"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Survey:
    """How far a survey is.

    Attributes
    ----------
    index : Path
        The file of it.
    nights : tuple of NightRow
        Of all folders, by name.
    curves : tuple of CurveRow
        Of those that are done.
    """

    index: Path
    nights: tuple[NightRow, ...]
    curves: tuple[CurveRow, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """Counts and times, for programs."""
        nights, frames = (
            {str(state): sum(n for s, n in pairs if s == state) for state in State}
            for pairs in (
                [(one.state, 1) for one in self.nights],
                [(one.state, one.frames) for one in self.nights],
            )
        )
        worked = [one for one in self.nights if one.finished]
        seconds, processor_s = (
            sum(getattr(one, name) for one in worked) for name in ("seconds", "processor_s")
        )
        n = sum(one.frames for one in worked)
        return {
            "nights": nights,
            "frames": frames,
            "light_curves": dict(Counter(one.state for one in self.curves)),
            "seconds_a_frame": seconds / n if n else None,
            "processor_s_a_frame": processor_s / n if n else None,
            "hours_worked": seconds / 3600,
            "most_memory_mb": max((one.memory_mb for one in worked), default=0.0),
            "failed": {one.folder: one.reason for one in self.nights if one.state == State.FAILED},
            "waiting": {one.folder: one.reason for one in self.nights
                        if one.state == State.WAITING and one.reason},
        }  # fmt: skip


def reduce_survey(
    roots: Sequence[Path],
    settings: Settings,
    out: Path,
    *,
    retry: bool = False,
    progress: Progress = silent,
) -> Survey:
    """Reduce all nights below some folders, as many side by side as there are workers.

    A night whose files and settings are what they were when it was done, or failed, is not reduced
    again. What becomes of each is written as it is done: a survey that ends at any moment goes on
    from there.

    Parameters
    ----------
    settings : Settings
        Of every night. Its cluster or workers do whole nights.
    out : Path
        Gets the index, and the run folders below `runs`; made if need be.
    retry : bool
        Whether nights that failed are tried again.

    Raises
    ------
    InputError
        When there is no night, another process writes the index, or there is no cluster at the
        address given, or it went away.
    """
    with open_log(out), open_index(out) as index:
        with stage("looking for nights"):
            found = find_nights(roots, out)
            if not found:
                msg = f"no folder with frames in {', '.join(map(str, roots))}"
                raise InputError(msg)
            rows = list(look_into(found, settings))
        queue = enqueue(index, rows, retry=retry)
        log.info("%d nights, %d to be reduced", len(rows), len(queue))
        with _open(queue, settings, out) as outcomes:
            for outcome in progress(outcomes, "reducing nights", len(queue)):
                index.finish(outcome.night, outcome.curves)
                if outcome.night.reason:
                    log.warning("%s: %s", outcome.night.folder, outcome.night.reason)
    return look_at_survey(out)


def look_at_survey(out: Path) -> Survey:
    """Tell how far a survey is, also while it goes on; raises InputError where there is none."""
    index = index_of(out)
    if index is None:
        msg = f"{out}: no {INDEX} of a survey in it"
        raise InputError(msg)
    nights = sorted(nights_of(index), key=lambda one: one.folder)
    return Survey(index, tuple(nights), tuple(curves_of(index)))


def enqueue(index: SurveyIndex, rows: Sequence[NightRow], *, retry: bool) -> list[NightRow]:
    """Keep nights that are new or other than they were, and list those to be reduced.

    The largest come first: then no worker is left alone with one at the end.
    """
    known, queue = index.nights(), []
    over = {State.DONE} if retry else {State.DONE, State.FAILED}
    for row in rows:
        before = known.get(row.folder)
        if before is None or before.digest != row.digest or before.state not in over:
            # A folder keeps its run, so that frames measured are not measured again.
            queue.append(row if before is None else replace(row, run=before.run))
    taken = {row.run: row.folder for row in known.values()}
    queue = [_apart(row, taken) for row in queue]
    index.put(queue)
    return sorted(queue, key=lambda one: (-one.bytes, one.folder))


def _apart(row: NightRow, taken: dict[str, str]) -> NightRow:
    """Give a night a run folder that is no other night's."""
    run, k = row.run, 2
    while taken.setdefault(run, row.folder) != row.folder:
        run, k = f"{row.run}-{k}", k + 1
    return replace(row, run=run)


@contextmanager
def _open(queue: Sequence[NightRow], settings: Settings, out: Path) -> Iterator[Iterator[Outcome]]:
    """Choose where nights are reduced, and close it at the end."""
    alone = settings.model_copy(update={"workers": 1, "cluster": None})
    do = ReduceNight(alone, out.resolve())
    if settings.cluster is not None and queue:
        with dask_client(settings.cluster) as client:
            yield _on_cluster(queue, do, client)
        return
    workers = min(settings.workers or usable(), len(queue))
    if queue:
        warm(*LOADED, "lightcurve.survey.reduce")
    yield _in_pool(queue, do, workers)


def _in_pool(queue: Sequence[NightRow], do: ReduceNight, workers: int) -> Iterator[Outcome]:
    for night, outcome in spread(queue, do, workers):
        yield outcome or _died(night)


def _died(night: NightRow) -> Outcome:
    return Outcome(replace(night, state=State.FAILED, reason=DIED))


def _on_cluster(queue: Sequence[NightRow], do: ReduceNight, client: Any) -> Iterator[Outcome]:
    """Reduce on a Dask cluster that sees the same files under the same names.

    Dask gives the nights of a worker that died to others, and gives up one that some died of.
    """
    from distributed import CancelledError, KilledWorker, as_completed

    log.info("%d workers of the cluster reduce", len(client.scheduler_info()["workers"]))
    try:
        nights = {client.submit(do, night, pure=False): night for night in queue}
        for future in as_completed(nights, loop=client.loop):
            try:
                yield future.result()
            except KilledWorker:
                yield _died(nights[future])
            future.release()
    except (CancelledError, OSError) as error:
        msg = (
            f"--cluster: it went away ({type(error).__name__}); nights that are done are kept, the "
            "same command goes on from here"
        )
        raise InputError(msg) from error
