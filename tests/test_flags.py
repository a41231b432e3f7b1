"""Every flag that is documented is raised somewhere, and a rough clock raises its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits
from sim import tiny_night

import lightcurve
from lightcurve.config import make_settings
from lightcurve.flags import MEANING, Flag
from lightcurve.frames.inventory import take_inventory
from lightcurve.measure import measure_frame
from lightcurve.prepare import prepare_night
from lightcurve.stacking import stack_results
from lightcurve.target import find_target


def raised(tree: ast.AST) -> Iterator[str]:
    """Names of the flags that code sets: by ``|=``, or where a condition holds."""
    for node in ast.walk(tree):
        places = []
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.BitOr):
            places = [node.value]
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            places = node.args if called in {"where", "star_flag", "uint16"} else []
        for place in places:
            owner = getattr(place, "value", None)
            if isinstance(place, ast.Attribute) and getattr(owner, "id", "") == "Flag":
                yield place.attr


def test_every_flag_is_raised_somewhere() -> None:
    package = Path(lightcurve.__file__).parent
    found = {
        name
        for path in package.rglob("*.py")
        if "simulate" not in path.parts and path.name != "flags.py"
        for name in raised(ast.parse(path.read_text()))
    }
    assert found == {flag.name for flag in Flag} == {flag.name for flag in MEANING}


def with_cards(path: Path, where: Path, **cards: object) -> Path:
    """Copy a frame under other cards; None takes one out."""
    with fits.open(path) as hdus:
        header = hdus[0].header
        for name in [name for name in header if name.startswith(("DATE", "JD", "MJD", "UT"))]:
            del header[name]
        for name, value in cards.items():
            header[name.replace("_", "-")] = value
            if value is None:
                del header[name.replace("_", "-")]
        fits.writeto(where / path.name, hdus[0].data, header)
    return where / path.name


def test_the_frame_s_clock_is_judged_and_its_length_may_be_unknown(tmp_path: Path) -> None:
    lights, _ = tiny_night(tmp_path / "a", shape=(200, 240), n_stars=40, header_wcs=True)
    folder = tmp_path / "b"
    folder.mkdir()
    times = ({"DATE_OBS": "2026-01-01T03:10:05"}, {"DATE_OBS": "2026-01-01", "UT": "03:12"})
    times += ({"DATE_AVG": "2026-01-01T03:14:05", "EXPTIME": None},)
    for path, cards in zip(lights, times, strict=False):
        with_cards(path, folder, **cards)
    settings = make_settings({"target": {"name": "Tiny-1", "ra": "20.0", "dec": "30.0"}})
    target = find_target(settings.target)
    scene = prepare_night(take_inventory(folder, settings), target, settings, tmp_path / "m")
    results = [measure_frame(path, scene.recipe) for path in scene.lights]
    assert [result.status for result in results] == ["measured"] * 3
    rough = [bool(result.photometry.flags[0, 0] & Flag.TIME_UNCERTAIN) for result in results]
    assert rough == [False, True, False]  # seconds, minutes, seconds
    assert "leaves the time open by 30 s" in results[1].reason
    assert "no exposure time" in results[2].reason
    measurements = stack_results(results, scene.recipe)
    assert np.isnan(measurements.exposure_s).tolist() == [False, False, True]
