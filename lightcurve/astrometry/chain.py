"""The plate solvers, tried one after the other.

Settings ask what they are called: what a solver works with is loaded when it is first tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightcurve.core.data import Solution
from lightcurve.core.errors import SolveError, UnsolvedError
from lightcurve.core.registry import Registry
from lightcurve.core.settings import SolveSettings

if TYPE_CHECKING:
    from lightcurve.astrometry.request import SolveRequest

__all__ = ["SOLVERS", "solve"]


@dataclass(frozen=True, slots=True)
class Solver:
    """A plate solver, with all that is to be known of it.

    name, help, more : as typed; what it is, in a line; and what there is to be said besides, in
        the manual.
    """

    name: str
    help: str
    more: str
    # ``solve(request, settings) -> Solution``; raises `SolveError` with its reason
    solve: Callable[[SolveRequest, SolveSettings], Solution]
    # it is left out offline, for the many frames of a night, and until all else has failed
    asks_a_server: bool = False
    uses_index: bool = False  # it can do nothing without index files on this machine
    # it tells what the file says. Where no known star confirms that, any other solver's answer goes
    # before it
    only_claims: bool = False

    @property
    def in_markdown(self) -> str:
        """Its row of the manual's table."""
        told = ". ".join(filter(None, (self.help, self.more)))
        return f"| `{self.name}` | {told} |"


def _by_header(request: SolveRequest, settings: SolveSettings) -> Solution:
    from lightcurve.astrometry.header_wcs import solve_header

    return solve_header(request, settings)


def _by_index_files(request: SolveRequest, settings: SolveSettings) -> Solution:
    from lightcurve.astrometry.local import solve_local

    return solve_local(request, settings)


def _by_program(request: SolveRequest, settings: SolveSettings) -> Solution:
    from lightcurve.astrometry.solve_field import solve_with_program

    return solve_with_program(request, settings)


def _by_server(request: SolveRequest, settings: SolveSettings) -> Solution:
    from lightcurve.astrometry.nova import solve_nova

    return solve_nova(request, settings)


HEADER = Solver(
    "header",
    "the WCS that the frame has",
    "Known stars must fall on the frame's own. With no known stars at hand it is taken only when "
    "no other solver has an answer, and the result says `not checked`, with the other solvers' "
    "reasons; it must then agree with the scale (within a factor of two) and the place that are "
    "known. Other equinoxes, galactic coordinates and projections are converted to TAN with SIP "
    "terms in ICRS. A reference at RA, Dec 0, 0 that no star confirms was never set.",
    _by_header,
    only_claims=True,
)
LOCAL = Solver(
    "local",
    "Astrometry.net's engine in this process, with index files",
    "",
    _by_index_files,
    uses_index=True,
)
SOLVE_FIELD = Solver("solve-field", "the program, where it is on the PATH", "", _by_program)
NOVA = Solver(
    "nova",
    "nova.astrometry.net or a server like it: star places are sent, not pixels, and privately",
    "One that refuses the key or does not answer is left alone for ten minutes.",
    _by_server,
    asks_a_server=True,
)

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
            # Its traceback holds all that its callers have at hand, large frames among it.
            causes[name] = error.with_traceback(None)
    raise UnsolvedError(causes, n_detected=len(request.stars))
