"""Every client of a server that the program has, asked for something at an address of faults."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
from astropy.io import fits

from fault_server import NOVA, SECRET, FaultServer
from lightcurve.astrometry import index_series
from lightcurve.astrometry.nova import solve_nova
from lightcurve.astrometry.request import SolveRequest
from lightcurve.catalogs import exoclock, sesame
from lightcurve.catalogs.exoplanet_archive import find_planet, list_planets
from lightcurve.catalogs.hips import ask_cutout
from lightcurve.catalogs.horizons import ask_horizons
from lightcurve.catalogs.layout import Field
from lightcurve.catalogs.reach import reach
from lightcurve.catalogs.services import SERVICES, query, server_names
from lightcurve.core.data import Detections
from lightcurve.core.errors import LightcurveError
from lightcurve.core.settings import CatalogSettings, SolveSettings

TIMEOUT_S = 1.0
# A service of five ways has two of these in all, each of its ways at least one, and one to hang up.
LONGEST_S = 14.0
FIELD = Field(180.0, 10.0, 0.2, 2014.99, 2457021.7, "688")
CARDS = {
    "NAXIS1": 21, "NAXIS2": 21, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 180.0,
    "CRVAL2": 10.0, "CRPIX1": 11.0, "CRPIX2": 11.0, "CD1_1": -1e-4, "CD2_2": 1e-4,
}  # fmt: skip
# What a client may hold when it is asked; no word of it may come back.
KEYS = {"ASTROMETRY_NET_API_KEY": SECRET, "ASTROCOLIBRI_API": SECRET}


def _settings(address: str) -> CatalogSettings:
    return CatalogSettings(
        servers={name: f"{address}/{name}" for name in server_names()}, timeout_s=TIMEOUT_S
    )


def _service(name: str) -> Callable[[str, Path], str]:
    def ask(address: str, _: Path) -> str:
        catalogs, (report,) = query((name,), FIELD, _settings(address))
        return f"{report.status}, {sum(map(len, catalogs.values()))} rows: {report.reason}"

    return ask


def _sesame(address: str, _: Path) -> str:
    with mock.patch.multiple(sesame, SERVER=address, TIMEOUT_S=TIMEOUT_S):
        return str(sesame.resolve_name("Nobody-9"))


def _index(address: str, folder: Path) -> str:
    file = index_series.IndexFile("5200", 0, "index-5200-00.fits", f"{address}/index-5200-00.fits")
    with mock.patch.object(index_series, "START_S", TIMEOUT_S):
        return str(list(index_series.fetch_files([file], folder, limit_mb=5, pause_s=0.05)))


def _nova(after: int) -> Callable[[str, Path], str]:
    """Ask a server of nova that does well so many steps."""

    def ask(address: str, folder: Path) -> str:
        rng = np.random.default_rng(3)
        x, y, one = rng.uniform(0, 600, 40), rng.uniform(0, 500, 40), np.ones(40)
        stars = Detections(x, y, one, one, one, 0.0, 1.0)
        path = folder / "frame.fits"
        frame = SolveRequest(stars, (500, 600), fits.Header(), path, 180.0, 10.0, 1.0)
        server = FaultServer(address.rsplit("/", 1)[1].partition("~")[0], after)
        try:
            return str(solve_nova(frame, SolveSettings(server=server.url, timeout_s=TIMEOUT_S)))
        finally:
            server.close()

    return ask


CLIENTS: dict[str, Callable[[str, Path], str]] = {
    **{service.name: _service(service.name) for service in SERVICES},
    "archive": lambda address, _: str(find_planet("HAT-P-32 b", _settings(address))),
    "planets": lambda address, _: str(len(list_planets(_settings(address)))),
    "exoclock": lambda address, _: str(len(exoclock.list_clocks(_settings(address)))),
    "horizons": lambda address, _: str(
        ask_horizons("433", (2457021.7, 2457021.8), _settings(address)).name
    ),
    "hips": lambda address, _: str(ask_cutout(CARDS, "r", _settings(address))),
    "sesame": _sesame,
    "index": _index,
    **{f"nova-{after}": _nova(after) for after in range(len(NOVA) + 1)},
    "reach": lambda address, _: reach({"a": address, "b": f"{address}/tap"}, TIMEOUT_S)[0].told,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a question: how long it took, what was said, what is wrong with that."""

    took_s: float
    said: str
    troubles: tuple[str, ...] = ()


def ask(client: str, address: str, folder: Path) -> Told:
    """Ask, and judge: in time, an error of ours or an answer, one line, nothing secret in it."""
    begin = time.monotonic()
    try:
        said = CLIENTS[client](address, folder)
    except LightcurveError as error:
        said = str(error)
    except Exception as error:  # noqa: BLE001  (what nobody caught is what is looked for)
        place = error.__traceback__
        while place and place.tb_next:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else ""
        told = Told(time.monotonic() - begin, repr(error)[:300])
        return replace(told, troubles=(f"{type(error).__name__} at {where}",))
    took = time.monotonic() - begin
    troubles = {
        f"took {took:.1f} s": took > LONGEST_S,
        "not one line": not said.isprintable(),
        f"{len(said)} characters": len(said) > 600,
        "tells a secret": SECRET in said or "hunter2" in said,
    }
    return Told(took, said, tuple(name for name, is_so in troubles.items() if is_so))
