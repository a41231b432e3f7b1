"""A finished night is read back to the last bit, without a frame; and nothing else is read."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightcurve.core.codec import Plain
from lightcurve.core.data import Planet
from lightcurve.core.data.curves import NOTHING_WRITTEN
from lightcurve.core.errors import InputError
from lightcurve.core.settings import make_settings
from lightcurve.night.demo import write_planet
from lightcurve.night.keep import CODEC, MARK, _without_pixels, read_night
from lightcurve.night.products import write_products
from lightcurve.night.reduced import KEPT, Night
from lightcurve.night.story import reduce_night
from sim import tiny_night

PLANET = Planet(
    name="Tiny-1 b", ra_deg=20.0, dec_deg=30.0, period_days=1.3, t0_bjd_tdb=2460586.65,
    rp_over_rs=0.1, a_over_rs=8.0, inclination_deg=88.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def reduced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Night, Path]:
    """A night, and its run folder, which was moved; the frames are gone."""
    top = tmp_path_factory.mktemp("kept")
    tiny_night(top / "night", n_frames=24, shape=(300, 330), n_stars=40, header_wcs=True)
    (top / "night" / "light_0005.fits").write_bytes(b"SIMPLE  = torn")
    planet = write_planet(top / "planet.toml", PLANET)
    night = reduce_night(
        top / "night",
        make_settings({"target": {"planet_file": str(planet)}, "fit": {"sample": False}}),
        top / "run",
    )
    shutil.rmtree(top / "night")
    planet.unlink()
    return night, (top / "run").rename(top / "elsewhere")


def sums(folder: Path) -> dict[str, str]:
    """Digests of the files of a run that are the same whenever it was made."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {"run.log", "state.sqlite"}
    }


def test_a_night_is_read_back_to_the_last_bit(reduced):
    night, folder = reduced
    again = read_night(folder)
    before = replace(_without_pixels(night), products=NOTHING_WRITTEN)
    assert b"".join(CODEC.encode(again)) == b"".join(CODEC.encode(before))
    assert again.settings.model_dump() == night.settings.model_dump()
    assert again.measurements.flux.tobytes() == night.measurements.flux.tobytes()
    assert not again.has_pixels
    assert np.isfinite(again.scene.solution.wcs.all_pix2world(10, 10, 0)).all()


def test_its_products_are_written_again_to_the_byte(reduced):
    _, folder = reduced
    before = sums(folder)
    products = write_products(folder, read_night(folder), {})
    assert sums(folder) == before
    assert {"figures/field.png", "fit.json", "nebs.csv", KEPT} <= set(products.paths) <= {
        *before, "run.log",
    }  # fmt: skip


def test_a_folder_without_one_is_told_what_to_do(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError) as told:
            read_night(folder)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("cut", [0, 5, 40, 400, 100_000, -1, -5])
def test_a_torn_one_is_refused(reduced, tmp_path, cut):
    (tmp_path / KEPT).write_bytes((reduced[1] / KEPT).read_bytes()[:cut])
    with pytest.raises(InputError):
        read_night(tmp_path)


def test_a_bit_that_flipped_is_noticed(reduced, tmp_path):
    whole = bytearray((reduced[1] / KEPT).read_bytes())
    whole[len(whole) // 2] ^= 4
    (tmp_path / KEPT).write_bytes(whole)
    with pytest.raises(InputError):
        read_night(tmp_path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("measurements", "flux"), {"array": 0}),
        (("measurements", "file"), {"array": 99_999}),
        (("measurements", "jd_utc"), 5),
        (("measurements", "plan", "role"), None),
        (("curve", "recipe"), None),
        (("curve", "recipe", "comparison_rows"), [1, 2, 300]),
        (("curve", "recipe", "check_row"), -1),
        (("results",), []),
        (("settings", "workers"), -3),
        (("settings", "no_such"), 1),
    ],
)
def test_one_whose_parts_do_not_fit_is_refused(reduced, tmp_path, path, value):
    """Its check sum is right: somebody made it so."""
    forge(read_night(reduced[1]), tmp_path, path, value)
    with pytest.raises(InputError):
        read_night(tmp_path)


def forge(night: Night, folder: Path, path: tuple[str, ...], value: object) -> None:
    """Write a night with one part put in the place of another."""

    class Forged:
        pass

    codec = type(CODEC)({**CODEC._plain, Forged: Plain(lambda _: plain, lambda _: None)})
    arrays: list[np.ndarray] = []
    plain = CODEC._flatten(night, arrays)
    place = plain
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    codec._flatten = lambda _, found: found.extend(arrays) or plain
    (folder / KEPT).write_bytes(MARK + b"".join(codec.encode(Forged())))


def test_another_version_and_another_file_are_refused(reduced, tmp_path):
    whole = (reduced[1] / KEPT).read_bytes()
    for data in (whole.replace(b"night 1", b"night 0", 1), b"SQLite format 3\0" * 100, b""):
        (tmp_path / KEPT).write_bytes(data)
        with pytest.raises(InputError):
            read_night(tmp_path)
