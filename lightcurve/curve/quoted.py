"""Whether the errors quoted with a light curve are those that its points show."""

from __future__ import annotations

import numpy as np

from lightcurve.core.data import LightCurve, Note, Result, Severity
from lightcurve.core.flags import NO_POINT
from lightcurve.curve.bends import PER_BEND, bend_squares, neighbours
from lightcurve.curve.worth import CLOSE_MINUTES

__all__ = ["judge_errors"]

MIN_BENDS = 20  # a scatter known to 22 %
SURE = 3.0  # by chance in one night of 400
MATTERS = 1.2  # as a factor: what the noise of the field's stars does not know of one of them


def judge_errors(curve: LightCurve) -> Note:
    """Hold the errors of a light curve against the scatter of its points.

    By how each point bends away from its two neighbours in time, into which neither a transit nor a
    trend enters. Nothing is scaled: a fit does that for itself, and tables have the errors that are
    known of. A warning where they are off beyond chance and by more than a fifth.

    Returns
    -------
    Note
        With the result ``scatter_over_error``, where there are points enough.
    """
    good = np.isfinite(curve.flux) & (curve.flux_err > 0) & ((curve.flags & int(NO_POINT)) == 0)
    order = np.flatnonzero(good)[np.argsort(curve.jd_utc[good], kind="stable")]
    if len(order) > 1 and np.median(np.diff(curve.jd_utc[order])) * 1440 >= CLOSE_MINUTES:
        return Note("the points are too far apart in time to judge their errors by one another")
    triples = order[neighbours(curve.jd_utc[order])]
    n = triples.shape[1]
    if n < MIN_BENDS:
        return Note(f"{n} points with two neighbours are too few to judge their errors by")
    ratio = float(np.sqrt(np.mean(bend_squares(curve.flux, curve.flux_err**2, triples))))
    spread = 0.5 * float(np.sqrt(PER_BEND / n))
    lower, upper = (ratio * (1 + sign * spread) for sign in (-1, 1))
    text = f"{ratio:.2f} +- {ratio * spread:.2f}"
    of_chance = abs(np.log(ratio)) <= SURE * spread
    wrong = not of_chance and max(ratio, 1 / ratio) > MATTERS
    told = Result(ratio, "", "scatter over error", text, lower=lower, upper=upper)
    words = f"the scatter of the points is {text} times the errors quoted"
    if wrong:
        words += "; the tables and exports keep these, a fit scales them"
    severity = Severity.WARNING if wrong else Severity.INFO
    return Note(words, severity, results={"scatter_over_error": told})
