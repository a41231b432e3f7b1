"""Ask services about a field: each failure costs its own columns and is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic

from lightcurve.catalogs import (
    apass,
    colibri,
    exoclock,
    exoplanet_archive,
    gaia,
    gaia_synthetic,
    hips,
    horizons,
    mast,
    milliquas,
    panstarrs,
    sdss,
    simbad,
    skybot,
    skymapper,
    tenparsec,
    twomass,
    vsx,
)
from lightcurve.catalogs.catalog_file import read_file
from lightcurve.catalogs.http_cache import is_kept, recall, remember
from lightcurve.catalogs.layout import (
    Catalog,
    Field,
    Link,
    Outcome,
    Route,
    Service,
    ServiceReport,
    Skip,
    within,
)
from lightcurve.catalogs.read_votable import READING
from lightcurve.core.errors import CatalogError, InputError, WebError, Why
from lightcurve.core.guard import guard
from lightcurve.core.progress import Progress, silent
from lightcurve.core.registry import Registry
from lightcurve.core.settings import CatalogSettings
from lightcurve.core.threads import Threads

__all__ = ["SERVICES", "addresses", "query", "reference_frames"]

# Surveys of stars first, the more precise before the others: a WCS is refined with the first.
SERVICES: Registry[Service] = Registry(
    "service",
    gaia.SERVICE,
    gaia_synthetic.SERVICE,
    panstarrs.SERVICE,
    skymapper.SERVICE,
    sdss.SERVICE,
    twomass.SERVICE,
    apass.SERVICE,
    simbad.SERVICE,
    vsx.SERVICE,
    skybot.SERVICE,
    milliquas.SERVICE,
    colibri.SERVICE,
    tenparsec.SERVICE,
)
WORKERS = 4
LEAST_S = 1.0  # for an answer, however little time is left
SILENT_S = 300.0  # so long is a server left alone that did not answer in time
# Servers that did not answer in time, and when that was found out; all frames of a process share
# it.
SILENT: dict[str, float] = {}
GRID_DEG = 0.02


def query(
    names: Sequence[str], field: Field, settings: CatalogSettings, *, progress: Progress = silent
) -> tuple[dict[str, Catalog], list[ServiceReport]]:
    """Read the files given by hand, and ask services about a field, at most four at a time.

    Parameters
    ----------
    names : sequence of str
        Of `SERVICES`.
    progress : Progress
        Counts the services that have answered.

    Returns
    -------
    catalogs : dict
        Name to catalogue: of the files (``"file"``, ``"file2"`` ...), then of the services that
        answered; an empty field gives an empty one.
    reports : list of ServiceReport
        One for each file and each name, in their order.

    Raises
    ------
    InputError
        When a name is no service, a server named in the settings is not known, or a file cannot
        be read.
    """
    services = [SERVICES.get(name) for name in dict.fromkeys(names)]
    servers = server_names()
    if unknown := set(settings.servers) - set(servers):
        msg = f"no server {min(unknown)!r} to give an address to: there are {', '.join(servers)}"
        raise InputError(msg)
    field = snapped(field)
    fetched = [_file(i, path, field) for i, path in enumerate(settings.files)]
    with Threads(WORKERS) as pool:
        answers = pool.map(lambda s: _fetch(s, field, settings), services)
        fetched += progress(answers, "asking catalogues", len(services))
    catalogs = {f.report.name: f.catalog for f in fetched if f.catalog is not None}
    return catalogs, [f.report for f in fetched]


def server_names() -> tuple[str, ...]:
    """List the servers that settings may give another address, the archive of planets last."""
    return tuple(addresses(CatalogSettings()))


def addresses(settings: CatalogSettings) -> dict[str, str]:
    """List all servers by name, and the addresses at which they are asked."""
    asked = [route.server for service in SERVICES for route in service.routes]
    others = (
        *hips.SERVERS,
        horizons.SERVER,
        mast.SERVER,
        exoclock.SERVER,
        exoplanet_archive.SERVER,
    )
    return {s.name: settings.servers.get(s.name, s.address) for s in (*asked, *others)}


def reference_frames() -> tuple[str, ...]:
    """List the services whose stars alone check and refine a plate solution."""
    return tuple(service.name for service in SERVICES if service.reference_frame)


def snapped(field: Field) -> Field:
    """Widen a field to a grid, so that frames of one night ask one question."""
    dec = max(-90.0, min(90.0, round(field.dec_deg / GRID_DEG) * GRID_DEG))
    step = GRID_DEG / max(math.cos(math.radians(dec)), 0.01)
    ra = round(field.ra_deg / step) * step % 360.0
    # Half a step in each coordinate, and a little for the rounding.
    radius = math.ceil((field.radius_deg + 0.75 * GRID_DEG) / GRID_DEG) * GRID_DEG
    return replace(field, ra_deg=ra, dec_deg=dec, radius_deg=min(radius, 180.0))


@dataclass(frozen=True, slots=True)
class _Fetched:
    report: ServiceReport
    catalog: Catalog | None = None


def _file(number: int, path: Path, field: Field) -> _Fetched:
    catalog = read_file(path, field, name=f"file{number + 1}" if number else "file")
    status = Outcome.OK if len(catalog) else Outcome.EMPTY
    reason = "; ".join(catalog.notes)
    report = ServiceReport(catalog.name, catalog.title, status, len(catalog), reason)
    return _Fetched(report, catalog)


def _fetch(service: Service, field: Field, settings: CatalogSettings) -> _Fetched:
    """Try the ways to a service in turn; every error becomes a row of the report."""
    failures: list[str] = []
    skipped = True
    end = monotonic() + 2 * settings.timeout_s
    for k, route in enumerate(service.routes, start=1):
        server = settings.servers.get(route.server.name, route.server.address)
        # Whatever becomes of the ways before, one is left half of the time.
        left = (end - monotonic()) / (2 if k < len(service.routes) else 1)
        timeout_s = max(min(settings.timeout_s, left), LEAST_S)
        try:
            with guard(partial(CatalogError, server)):
                catalog, status, reason = _answer(route, server, field, settings, timeout_s)
        except Skip as skip:
            failures.append(skip.reason)
            continue
        except CatalogError as error:
            skipped = False
            failures.append(error.reason)
            continue
        reason = "; ".join([*catalog.notes, *([reason] if reason else []), *failures])
        row = (service.name, service.title, status, len(catalog), reason, server)
        return _Fetched(ServiceReport(*row), catalog)
    status = Outcome.SKIPPED if skipped else Outcome.FAILED
    reason = "; ".join(dict.fromkeys(failures))
    row = (service.name, service.title, status, 0, reason, server)
    return _Fetched(ServiceReport(*row))


def _answer(
    route: Route, server: str, field: Field, settings: CatalogSettings, timeout_s: float
) -> tuple[Catalog, Outcome, str]:
    """Answer from memory if young enough, else ask, else fall back on an old memory."""
    request = route.request(field, settings.max_rows)
    read = partial(_read, route, field=field, max_rows=settings.max_rows)
    known = recall(server, request)
    if known is not None and (settings.offline or known.age_days <= settings.cache_days):
        # An answer that this version cannot read is asked for anew.
        with suppress(CatalogError):
            return read(known.body), Outcome.CACHED, f"{known.age_days:.1f} days old"
    if settings.offline:
        if is_kept(server, request):
            raise CatalogError(server, "offline, and the answer kept is damaged: ask once online")
        raise Skip(server, "offline, and not asked before")
    try:
        _if_it_answers(server)
        body = route.send(Link(server, timeout_s, settings.max_rows), request)
        catalog = read(body)
    except Skip:
        raise
    except CatalogError as error:
        if isinstance(error.__cause__, WebError) and error.__cause__.why is Why.TIMED_OUT:
            SILENT[server] = monotonic()
        if known is None:
            raise
        reason = f"{error.reason}; answer of {known.age_days:.1f} days ago used"
        return read(known.body), Outcome.CACHED, reason
    return catalog, Outcome.OK if len(catalog) else Outcome.EMPTY, remember(server, request, body)


def _if_it_answers(server: str) -> None:
    """Do not wait again for a server that has just let somebody wait in vain."""
    ago = monotonic() - SILENT.get(server, -math.inf)
    if ago < SILENT_S:
        raise CatalogError(
            server, f"did not answer in time {ago:.0f} s ago, and is not asked again"
        )


def _read(route: Route, body: bytes, field: Field, max_rows: int) -> Catalog:
    with READING:
        catalog = route.read(body, field)
    inside = within(catalog, field)
    if len(catalog) < max_rows:
        return inside
    note = f"{len(catalog)} rows, as many as were asked for: there may be more"
    return replace(inside, notes=(*inside.notes, note))
