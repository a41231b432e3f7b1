"""What all tests share: where the real data are, and nothing else of the machine's own.

Before anything is imported, the environment is made anew: no folder of the user, no key, no proxy,
no program on the PATH, no terminal and a time zone far from UTC. What tests start inherits it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from lightcurve.night.reduced import Night
    from nova_server import Nova
    from services_server import ServicesServer

SHARED = Path(__file__).parents[2] / "shared" / "data"
CHILDREN = Path(__file__).parent / "children"
# All that is kept of the environment; what begins so, by the names of the tools. How libraries
# compute is among it: some are loaded before it is made anew, and bits must not hang on that.
KEPT = {"PYTHONHASHSEED", "PYTHONPATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "VIRTUAL_ENV"}
KEPT_GROUPS = (
    *("COVERAGE_", "HYPOTHESIS_", "LD_LIBRARY_", "PYTEST_", "TEST_"),
    *("MKL_", "NPY_", "OMP_", "OPENBLAS_"),
)
# The user's PATH, for the tests that try the real solve-field and a browser.
PATH_OF_USER = "TEST_PATH_OF_USER"

# A busy machine is slow, and no test may fail for that.
settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("any machine")


# Last: where to write, and in what colours, pytest itself learns from the user's environment.
@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Make the environment anew, for this process and all that it starts."""
    home = tempfile.mkdtemp(prefix="lightcurve-tests-")
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    empty, astropy = Path(home, "bin"), Path(home, "config", "astropy")
    empty.mkdir()
    astropy.mkdir(parents=True)
    # Older versions of astropy ask for new tables of the Earth's turning at once.
    (astropy / "astropy.cfg").write_text("[utils.iers.iers]\nauto_download = False\n")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in KEPT or name.startswith(KEPT_GROUPS)
    }
    kept.setdefault(PATH_OF_USER, os.environ.get("PATH", ""))
    path = [str(CHILDREN), *filter(None, kept.get("PYTHONPATH", "").split(os.pathsep))]
    os.environ.clear()
    os.environ.update(
        kept,
        PATH=str(empty),
        PYTHONPATH=os.pathsep.join(dict.fromkeys(path)),
        HOME=home,
        USERPROFILE=home,
        XDG_CONFIG_HOME=str(astropy.parent),
        LIGHTCURVE_CACHE_DIR=str(Path(home, "cache")),
        # Its list of the machine's fonts takes seconds to make, so it is kept; its settings are not
        # read there.
        MPLCONFIGDIR=str(Path(config.rootpath, ".pytest_cache", "matplotlib")),
        MPLBACKEND="agg",
        LC_ALL="C.UTF-8",
        TZ="XXX-05:45",
    )
    if hasattr(time, "tzset"):
        time.tzset()
    sys.path.insert(0, str(CHILDREN))
    import alone  # noqa: F401


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real frames and tables; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no real data at {SHARED.name}: this test needs the shared data folder")
    return SHARED


@pytest.fixture(scope="session")
def hatp32(shared_data: Path) -> list[Path]:
    """The 142 real frames, in order of their names."""
    return sorted((shared_data / "hatp32").glob("*.FITS"))


@pytest.fixture(scope="session")
def kept_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Night, Path]:
    """A small night, and its run folder, moved, without frames; not to be changed."""
    from sim_run import finished_run

    return finished_run(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs draw no figures: most of what a small night costs, and nobody looks at them."""
    monkeypatch.setattr("lightcurve.night.drawing.draw_together", lambda *_, **__: {})


@pytest.fixture(autouse=True)
def _no_system_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a test has set there, whatever it was."""
    monkeypatch.setattr("lightcurve.astrometry.index.SYSTEM_PLACES", ())


@pytest.fixture
def nova(shared_data: Path) -> Iterator[Nova]:
    """A server on this machine that speaks as nova.astrometry.net does, and really solves."""
    pytest.importorskip("astrometry")
    from nova_server import Nova

    server = Nova([shared_data / "index-tycho2-hatp32.fits"])
    yield server
    server.close()


@pytest.fixture(scope="session")
def _services_running(shared_data: Path) -> Iterator[ServicesServer]:
    from services_server import ServicesServer

    server = ServicesServer(shared_data)
    yield server
    server.close()


@pytest.fixture
def services(
    _services_running: ServicesServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[ServicesServer]:
    """A server on loopback that answers as Gaia, VizieR, SIMBAD, SkyBoT and others do."""
    monkeypatch.setenv("LIGHTCURVE_CACHE_DIR", str(tmp_path / "remembered"))
    monkeypatch.setattr("lightcurve.core.http.FIRST_WAIT_S", 0.01)
    _services_running.calm()
    yield _services_running
    _services_running.calm()
