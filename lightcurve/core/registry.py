"""What can be extended: the solvers, services, exports ... of one kind, each registered once.

An entry is one object that carries all that anyone asks of it: options, help, documentation and
the checks of settings are made from the registry, so that nobody keeps a second list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

from lightcurve.core.errors import InputError

__all__ = ["Registry", "did_you_mean", "registry_of"]


class Named(Protocol):
    """All that a registry needs of an entry."""

    @property
    def name(self) -> str:
        """What a user types to choose it."""


Entry = TypeVar("Entry", bound=Named)

BEGUN, MEANT = 3, 4  # letters that begin a name; names that a guess may offer

_KINDS: dict[str, Registry[Any]] = {}

# Each kind's module is loaded when the kind is first looked up: settings and options must not
# import it.
_HOMES = {
    "camera profile": "lightcurve.frames.cameras",
    "centroid": "lightcurve.phot.methods",
    "comparison weighting": "lightcurve.curve.weightings",
    "covariate": "lightcurve.core.covariates",
    "finder": "lightcurve.phot.methods",
    "per-frame quantity": "lightcurve.core.quantities",
    "service": "lightcurve.catalogs.services",
    "solver": "lightcurve.astrometry.chain",
    "table": "lightcurve.core.columns",
}


class Registry(Generic[Entry]):
    """The entries of one kind, in the order in which they were registered.

    Parameters
    ----------
    kind : str
        As in messages: ``"solver"``.
    *entries
        Registered at once.
    """

    def __init__(self, kind: str, *entries: Entry) -> None:
        self.kind = kind
        self.entries: dict[str, Entry] = {}
        for entry in entries:
            self.register(entry)
        _KINDS[kind] = self

    def register(self, entry: Entry) -> Entry:
        """Add an entry; a name that is taken is a mistake of the program."""
        if entry.name in self.entries:
            msg = f"two entries of kind {self.kind} are named {entry.name}"
            raise ValueError(msg)
        self.entries[entry.name] = entry
        return entry

    def names(self) -> tuple[str, ...]:
        """List what a user can name."""
        return tuple(self.entries)

    def get(self, name: str) -> Entry:
        """Find an entry; raises InputError saying which there are, and which may be meant."""
        try:
            return self.entries[name]
        except KeyError:
            msg = f"no {self.kind} {name!r}: {self._choices(name)}"
            raise InputError(msg) from None

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def _choices(self, name: str) -> str:
        return f"must be one of {', '.join(self.entries)}{did_you_mean(name, self.entries)}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """End the error about an unknown name with those it begins, or the one most like it."""
    plain, typed = {one.lower(): one for one in names}, name.lower()
    begun = [one for one in plain if one.startswith(typed)] if len(typed) >= BEGUN else []
    near = begun if 0 < len(begun) <= MEANT else get_close_matches(typed, plain, n=1)
    *first, last = [plain[one] for one in near] or [""]
    return f"; did you mean {', '.join(first)}{' or ' * bool(first)}{last}?" if last else ""


def registry_of(kind: str) -> Registry[Any]:
    """Find the registry of a kind, for settings and options, which may not import it."""
    if kind not in _KINDS:
        import_module(_HOMES[kind])
    return _KINDS[kind]


def one_of(kind: str) -> Callable[[str], str]:
    """Make the check, for pydantic's ``AfterValidator``, of a setting that names an entry."""

    def check(name: str) -> str:
        known = registry_of(kind)
        if name not in known.entries:
            raise ValueError(known._choices(name))  # noqa: SLF001 -- of this module
        return name

    return check
