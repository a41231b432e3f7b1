"""The figures of a finished run, drawn again from what it left in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightcurve.core.errors import InputError, Why
from lightcurve.core.progress import Progress, silent
from lightcurve.core.registry import did_you_mean
from lightcurve.night.drawing import draw
from lightcurve.night.figures import FIGURES
from lightcurve.night.finished import read_finished
from lightcurve.report.style import FORMATS, Look, wearing

__all__ = ["plot_run"]


def plot_run(
    run: Path,
    wanted: Sequence[str],
    look: Look,
    *,
    kind: str,
    out: Path | None,
    progress: Progress = silent,
) -> tuple[dict[str, Path], dict[str, str]]:
    """Draw figures of a finished run, or of any light curve.

    Parameters
    ----------
    run : Path
        Its folder, or a table.
    wanted : sequence of str
        Names of figures; none given for all that can be drawn.
    kind : str
        Of file: pdf, svg or png.
    out : Path or None
        Folder for them; ``plots`` in that of the run, or beside the table, if None.

    Returns
    -------
    drawn : dict of str to Path
        By name of the figure.
    lacking : dict of str to str
        Why others were not drawn.

    Raises
    ------
    InputError
        For a figure, format or style that there is none of, and for a figure that is wanted and
        cannot be drawn.
    """
    if f".{kind}" not in FORMATS:
        known = [suffix.removeprefix(".") for suffix in FORMATS]
        msg = f"--format {kind}: no such format{did_you_mean(kind, known)}; {', '.join(known)}"
        raise InputError(msg)
    for name in wanted:
        FIGURES.get(name)
    with wearing(look):
        finished = read_finished(run)
        wants = {one.name: one.lacks(finished) for one in FIGURES}
        lacking = {name: f"needs {what}" for name, what in wants.items() if what}
        for name in wanted:
            if name in lacking:
                msg = f"{run}: figure {name}: {lacking[name]}"
                raise InputError(msg)
        names = wanted or [name for name, what in wants.items() if not what]
        folder = out or (run if run.is_dir() else run.parent) / "plots"
        drawn: dict[str, Path] = {}
        for name in progress(names, "Drawing", len(names)):
            try:
                drawn |= draw(folder, finished, [name], kind=kind)
            except InputError as error:
                if wanted or error.why is not Why.NO_ROOM:
                    raise
                lacking[name] = error.reason
        return drawn, {} if wanted else lacking
