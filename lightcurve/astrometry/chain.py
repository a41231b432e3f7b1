"""The plate solvers, tried one after the other."""

from __future__ import annotations

from collections.abc import Callable

from lightcurve.astrometry.header import solve_header
from lightcurve.astrometry.local import solve_local
from lightcurve.astrometry.request import SolveRequest
from lightcurve.config import SolveSettings
from lightcurve.data import Solution
from lightcurve.errors import SolveError, UnsolvedError

Solver = Callable[[SolveRequest, SolveSettings], Solution]


def _solve_with_program(request: SolveRequest, settings: SolveSettings) -> Solution:
    # These two load much that a frame with a good header, or an index file, has no need of.
    from lightcurve.astrometry.solve_field import solve_with_program

    return solve_with_program(request, settings)


def _solve_nova(request: SolveRequest, settings: SolveSettings) -> Solution:
    from lightcurve.astrometry.nova import solve_nova

    return solve_nova(request, settings)


SOLVERS: dict[str, Solver] = {
    "header": solve_header,
    "local": solve_local,
    "solve-field": _solve_with_program,
    "nova": _solve_nova,
}

__all__ = ["SOLVERS", "SolveRequest", "Solver", "solve"]


def solve(request: SolveRequest, settings: SolveSettings) -> Solution:
    """Place a frame on the sky with the first solver that can.

    Parameters
    ----------
    request : SolveRequest
    settings : SolveSettings
        Says which solvers, in which order.

    Returns
    -------
    Solution

    Raises
    ------
    UnsolvedError
        When none can; it has each solver's reason.
    """
    reasons = []
    for name in settings.solvers:
        try:
            return SOLVERS[name](request, settings)
        except SolveError as error:
            reasons.append(f"{name}: {error}")
    raise UnsolvedError("; ".join(reasons), n_detected=len(request.stars))
