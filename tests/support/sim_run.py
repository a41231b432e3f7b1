"""A finished run of a small night whose frames are gone."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from lightcurve.core.data import Planet
from lightcurve.core.settings import make_settings
from lightcurve.night.demo import write_planet
from lightcurve.night.reduced import Night
from lightcurve.night.story import reduce_night
from sim import tiny_night

PLANET = Planet(
    name="Tiny-1 b", ra_deg=20.0, dec_deg=30.0, period_days=1.3, t0_bjd_tdb=2460586.65,
    rp_over_rs=0.1, a_over_rs=8.0, inclination_deg=88.5,
)  # fmt: skip


def finished_run(top: Path) -> tuple[Night, Path]:
    """Reduce a night of 23 frames and a torn one, move the run folder, and remove all else."""
    tiny_night(top / "night", n_frames=24, shape=(300, 330), n_stars=40, header_wcs=True)
    (top / "night" / "light_0005.fits").write_bytes(b"SIMPLE  = torn")
    planet = write_planet(top / "planet.toml", PLANET)
    settings = {"target": {"planet_file": str(planet)}, "fit": {"sample": False}}
    night = reduce_night(top / "night", make_settings(settings), top / "run")
    shutil.rmtree(top / "night")
    planet.unlink()
    return night, (top / "run").rename(top / "elsewhere")


def sums(folder: Path) -> dict[str, str]:
    """Digests of the files of a run, but for those that grow whenever somebody is at it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {"run.log", "state.sqlite"}
    }
