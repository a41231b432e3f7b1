"""Measure frames again with a table's own stars, positions, radii and rules, and compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lightcurve.aij.find_rules import Start, TableRules, find_rules
from lightcurve.aij.photometry import measure_aij
from lightcurve.aij.read_table import COARSE_DAYS, STAR_COLUMN, AijTable, read_aij_table
from lightcurve.aij.relative_flux import relative_fluxes
from lightcurve.compare.columns import PERIODS, ColumnDifference, compare_column, frame_key
from lightcurve.compare.recompute import is_cut
from lightcurve.compare.result import Comparison, Curves, Tolerance, take_wanted
from lightcurve.core.constants import DAY_S
from lightcurve.core.errors import InputError
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.frames.read import is_image_name, read_frame
from lightcurve.phot.centroid import STILL_PX

__all__ = ["compare_with_frames"]

N_TRIALS = 3
SHAPES = ("Width", "X-Width", "Y-Width", "Angle", "Roundness")
# Variance is about a mean that hangs on the centroid's last step but one: no table tells it.
UNTOLD = ("Variance",)
# Where a centroid may have begun, from where it ended, pixels.
BEGINNINGS = ((0.0, 0.0), (0.5, 0.0), (-0.5, 0.0), (0.0, 0.5), (0.0, -0.5))
MOVED = "moved by centring again, px"
TIME = "JD_UTC, s"


def trial_rows(rows: np.ndarray, placed: np.ndarray, name: str) -> np.ndarray:
    """Take a few rows, far apart, of those that have a star with flux and position.

    rows: (n,) int array, rows whose frames are there. placed: (n_row, n_star) bool array.
    Returns (k,) int array.
    """
    usable = rows[placed[rows].any(axis=1)]
    if not usable.size:
        msg = f"{name}: no star has a flux and a position in any of the {len(rows)} frames there"
        raise InputError(msg)
    return usable[np.unique(np.linspace(0, len(usable) - 1, N_TRIALS).astype(int))]


def star_positions(table: AijTable) -> tuple[np.ndarray, np.ndarray]:
    """Take 0-based pixels from X(FITS), Y(FITS).

    Returns x, y: (n_row, n_star) float arrays, NaN where the table has no flux.
    """
    x, y = table.block("X(FITS)") - 1, table.block("Y(FITS)") - 1
    x, y = np.where(measured_stars(table), x, np.nan), np.where(measured_stars(table), y, np.nan)
    lacking = [what for what, there in (
        ("Label", bool(np.any(table.labels != ""))),
        ("X(FITS) and Y(FITS)", bool(np.isfinite(x).any() and np.isfinite(y).any())),
    ) if not there]  # fmt: skip
    if lacking:
        msg = f"{table.name}: no {' nor '.join(lacking)}: its stars cannot be found in the frames"
        raise InputError(msg)
    return x, y


def measured_stars(table: AijTable) -> np.ndarray:
    """Tell which stars the table has a flux of; all, where it has no column of fluxes.

    Returns (n_row, n_star) bool array.
    """
    flux = np.isfinite(table.block("Source-Sky"))
    return flux | ~flux.any(axis=0)


def find_frames(table: AijTable, folder: Path) -> tuple[dict[int, Path], tuple[str, ...]]:
    """Find the file of each row.

    Returns files: by row; missing: labels whose frames are not there.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder of frames"
        raise InputError(msg)
    places: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if is_image_name(path) and path.is_file():
            places.setdefault(frame_key(path.name), []).append(path)
    files, missing = {}, []
    for row, label in enumerate(table.labels):
        found = places.get(frame_key(str(label)), [])
        found = [path for path in found if path.name == label] or found
        if len(found) > 1:
            msg = f"{label}: {found[0]} or {found[1]}? Give the folder that was measured"
            raise InputError(msg)
        if found:
            files[row] = found[0]
        else:
            missing.append(str(label))
    if not files:
        msg = f"{folder}: none of the {len(table)} frames of {table.name}, such as {missing[0]}"
        raise InputError(msg)
    return files, tuple(missing)


@dataclass(frozen=True, slots=True, eq=False)
class Remeasured:
    """A table and what we measure on its frames by its rules.

    ours, theirs : mapping of str to (n, n_star) float array, by column, without the star's
        suffix; columns of the whole frame have one star.
    """

    table: AijTable
    rows: np.ndarray  # (n,) int array, rows of the table whose frames are there
    missing: tuple[str, ...]  # labels whose frames are not
    rules: TableRules
    ours: Mapping[str, np.ndarray]
    theirs: Mapping[str, np.ndarray]

    def differences(self, tolerance: Tolerance) -> list[ColumnDifference]:
        """Compare column by column, all stars together.

        tolerance: allowed for the move by centring again is 0.01 px, and for times, besides, what
        cutting them to three decimals explains.
        The row of the largest difference is named by frame and star.
        """
        labels = self.table.labels[self.rows]
        cut_s = 2 * COARSE_DAYS * DAY_S if is_cut(self.table, "JD_UTC") else 0.0
        own = {MOVED: STILL_PX, TIME: tolerance.time_s + cut_s}
        found = []
        for name, ours in self.ours.items():
            stars = self.table.stars if ours.shape[1] > 1 else ("",)
            places = [f"{label} {star}".strip() for label in labels for star in stars]
            pair = (ours.ravel(), self.theirs[name].ravel())
            column = compare_column(
                name, *pair, places, rtol=0.0 if name in own else tolerance.rtol,
                atol=own.get(name, tolerance.atol), period=PERIODS.get(name),
            )  # fmt: skip
            # Where 0 is expected, no difference is large or small beside it.
            found.append(replace(column, largest_relative=np.nan) if name in own else column)
        return found


def compare_with_frames(
    folder: Path,
    path: Path,
    settings: Settings,
    *,
    tolerance: Tolerance,
    only: Sequence[str] = (),
    progress: Progress = silent,
) -> Comparison:
    """Compare a table with what we measure on its frames by its rules.

    Parameters
    ----------
    only : sequence of str
        Columns to compare; by default all that the table has.

    Returns
    -------
    Comparison
        A is ours. Its values are the rules, its notes tell what was left out.

    Raises
    ------
    InputError
        See `remeasure_table`; or when none of `only` is among the columns.
    """
    again = remeasure_table(folder, path, settings, progress=progress)
    found = again.differences(tolerance)
    only_b = _not_measured(again)
    kept, lacking = take_wanted(found, only, only_b)
    notes = []
    if TIME not in again.ours:
        notes.append("times: not compared, the table has no JD_UTC or the frames do not tell it")
    if again.missing:
        notes.append(f"{len(again.missing)} frames are not there, such as {again.missing[0]}")
    return Comparison(
        names=("measured again", again.table.name),
        matched_by="frame",
        rows=(len(again.rows), len(again.table), len(again.rows)),
        differences=kept,
        only_a=(),
        only_b=only_b,
        lacking=lacking,
        tolerance=tolerance,
        notes=tuple(notes),
        curves=_curves(again),
        values=tuple(again.rules.values),
    )


def _not_measured(again: Remeasured) -> tuple[str, ...]:
    """Columns of numbers of the table that frames do not give us."""
    matches = {name: STAR_COLUMN.match(name) for name in again.table.columns}
    names = {
        name: {name, f"{name}, s", m["quantity"] if m else name} for name, m in matches.items()
    }
    return tuple(name for name, known in names.items() if known.isdisjoint(again.ours))


def _curves(again: Remeasured) -> Curves:
    """Relative fluxes of the first target, each over its median, for the figure."""
    name = next((n for n in again.ours if n.startswith("rel_flux_T")), "")
    ours, theirs = (c[name][:, 0] if name else np.empty(0) for c in (again.ours, again.theirs))
    levels = [np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else 0.0 for c in (ours, theirs)]
    if min(levels) <= 0:
        return Curves()
    times = again.table.times()
    system = next(iter(times), "")
    time = times[system][again.rows] if system else np.arange(len(ours), dtype=float)
    return Curves(system or "row", time, ours / levels[0], theirs / levels[1])


def remeasure_table(
    folder: Path, path: Path, settings: Settings, *, progress: Progress = silent
) -> Remeasured:
    """Measure the frames of a table again, from the table's own positions.

    folder: holds the frames that the table's labels name, as they were measured: calibrated, if so.
    settings: camera, radius and annulus given there override what the table tells.
    Raises InputError when the table cannot be read, or has no frames there or no rules to be found.
    """
    table = read_aij_table(path)
    x, y = star_positions(table)
    files, missing = find_frames(table, folder)
    rows = np.array(sorted(files))
    chosen = trial_rows(rows, np.isfinite(x) & np.isfinite(y), table.name)
    jd = table.times().get("JD_UTC", np.full(len(table), np.nan))

    def start(row: int) -> Start:
        frame = read_frame(files[row], settings=settings, need_time=False)
        mid = frame.exposure.mid_jd_utc
        late = np.nan if mid is None else (mid - jd[row]) * DAY_S
        return Start(row, frame.pixels, x[row], y[row], float(late))

    trials = [start(int(row)) for row in chosen]
    rules, method = find_rules(table, trials, settings)
    measured = [
        _measure_row(start(int(row)), rules, method, table)
        for row in progress(rows, "Measuring frames", len(rows))
    ]
    ours = {name: np.stack([m[name] for m in measured]) for name in measured[0]}
    ours |= _relative(ours, table)
    ours, theirs = _pairs(ours, table, rows)
    return Remeasured(table, rows, missing, rules, ours, theirs)


def _measure_row(
    start: Start, rules: TableRules, method: str, table: AijTable
) -> dict[str, np.ndarray]:
    """Measure a frame where the table has its stars, and see whether they would move.

    With a variable aperture the widths are those at the base radius, after centring there.
    """
    here = (start.pixels, start.x, start.y)
    found = measure_aij(*here, rules.of_row(start.row))
    columns = found.columns() | {"FWHM_Mean": np.array([found.fwhm_mean()])}
    columns[TIME] = np.array([start.late_s])
    if rules.centred:
        again = measure_aij(*here, replace(rules.of_row(start.row), centroid=method))
        columns[MOVED] = np.maximum(np.abs(again.x - start.x), np.abs(again.y - start.y))
        lost = again.columns()  # widths are 0 where there is no centroid
        columns |= {name: np.where(again.found, columns[name], lost[name]) for name in SHAPES}
    variable = np.isfinite(rules.base_radius).any()
    if variable and rules.fwhm_factor is None:
        columns = {name: values for name, values in columns.items() if name not in SHAPES}
    elif variable:
        columns |= _base_widths(start, rules, method, table)
    return {name: values for name, values in columns.items() if name not in UNTOLD}


def _base_widths(
    start: Start, rules: TableRules, method: str, table: AijTable
) -> dict[str, np.ndarray]:
    """Widths at the base radius, and the radius of the aperture that they make.

    A table tells where a centroid ended at the last radius, not where it began at the base radius.
    Of the places where it may have begun, the one whose width comes nearest to the table's is
    taken.
    """
    base = float(rules.base_radius[start.row])
    own = replace(rules.of_row(start.row), radius=base, centroid=method)
    runs = [measure_aij(start.pixels, start.x + dx, start.y + dy, own) for dx, dy in BEGINNINGS]
    ends = [run.columns() for run in runs]
    ours = np.stack([run.x_width for run in runs])
    off = np.nan_to_num(np.abs(ours - table.block("X-Width")[start.row]))
    best, stars = off.argmin(axis=0), np.arange(len(start.x))
    columns = {name: np.stack([end[name] for end in ends])[best, stars] for name in SHAPES}
    width = columns["X-Width"], columns["Y-Width"]
    use = (width[0] > 0) & (width[1] > 0)
    radius = rules.fwhm_factor * max(w[use].mean() for w in width) if use.any() else np.nan
    return columns | {"Source_Radius": np.array([radius])}


def _relative(ours: Mapping[str, np.ndarray], table: AijTable) -> dict[str, np.ndarray]:
    """Relative fluxes of all stars, from our fluxes."""
    comparison = np.array([star in table.comparisons for star in table.stars])
    if not comparison.any():
        return {}
    columns = relative_fluxes(ours["Source-Sky"], ours["Source_Error"], comparison)
    first = int(np.flatnonzero(~comparison)[0]) if not comparison.all() else 0
    for name in ("rel_flux", "rel_flux_err"):
        columns[f"{name}_{table.stars[first]}"] = columns[name][:, [first]]
    return columns | {name: columns[name][:, [first]] for name in ("tot_C_cnts", "tot_C_err")}


def _pairs(
    ours: Mapping[str, np.ndarray], table: AijTable, rows: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Keep the columns that the table has, and take its own."""
    kept, theirs = {}, {}
    for name, values in ours.items():
        if values.shape[1] == 1 and name in table.columns:
            theirs[name] = table.columns[name][rows][:, None]
        elif name in {MOVED, TIME}:
            # What frame or table does not tell is not compared.
            theirs[name] = np.where(np.isnan(values) & (name == TIME), np.nan, 0.0)
        elif values.shape[1] == len(table.stars):
            theirs[name] = table.block(name)[rows]
        if name in theirs and np.isfinite(theirs[name]).any():
            kept[name] = values
            if values.shape[1] == len(table.stars) > 1:
                there = measured_stars(table)[rows]
                kept[name] = np.where(there, values, np.nan)
                theirs[name] = np.where(there, theirs[name], np.nan)
    return kept, {name: theirs[name] for name in kept}
