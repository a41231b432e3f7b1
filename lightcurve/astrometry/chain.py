"""The plate solvers, tried one after the other."""

from __future__ import annotations

from lightcurve.astrometry.header_wcs import HEADER
from lightcurve.astrometry.local import LOCAL
from lightcurve.astrometry.nova import NOVA
from lightcurve.astrometry.request import Solver, SolveRequest
from lightcurve.astrometry.solve_field import SOLVE_FIELD
from lightcurve.core.data import Solution
from lightcurve.core.errors import SolveError, UnsolvedError
from lightcurve.core.registry import Registry
from lightcurve.core.settings import SolveSettings

__all__ = ["SOLVERS", "solve"]

# In the order in which they are tried if nothing else is said.
SOLVERS: Registry[Solver] = Registry("solver", HEADER, LOCAL, SOLVE_FIELD, NOVA)


def solve(request: SolveRequest, settings: SolveSettings) -> Solution:
    """Place a frame on the sky with the first solver, in the order of the settings, that can.

    Raises
    ------
    UnsolvedError
        When none can; it has each solver's reason.
    """
    causes: dict[str, SolveError] = {}
    for name in settings.solvers:
        try:
            return SOLVERS.get(name).solve(request, settings)
        except SolveError as error:
            causes[name] = error
    raise UnsolvedError(causes, n_detected=len(request.stars))
