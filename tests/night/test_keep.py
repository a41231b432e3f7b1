"""A finished night is read back to the last bit, without a frame; and nothing else is read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightcurve.core.codec import Plain
from lightcurve.core.data.curves import NOTHING_WRITTEN
from lightcurve.core.errors import InputError
from lightcurve.night.keep import CODEC, MARK, _without_pixels, read_night
from lightcurve.night.products import write_products
from lightcurve.night.reduced import KEPT, Night
from sim_run import sums


def test_a_night_is_read_back_to_the_last_bit(kept_run):
    night, folder = kept_run
    again = read_night(folder)
    before = replace(_without_pixels(night), products=NOTHING_WRITTEN)
    assert b"".join(CODEC.encode(again)) == b"".join(CODEC.encode(before))
    assert again.settings.model_dump() == night.settings.model_dump()
    assert again.measurements.flux.tobytes() == night.measurements.flux.tobytes()
    assert not again.has_pixels
    assert np.isfinite(again.scene.solution.wcs.all_pix2world(10, 10, 0)).all()


def test_its_products_are_written_again_to_the_byte(kept_run):
    _, folder = kept_run
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


def test_a_folder_of_several_runs_names_them(kept_run, tmp_path):
    for name in ("V", "R"):
        (tmp_path / name).mkdir()
        (tmp_path / name / KEPT).write_bytes((kept_run[1] / KEPT).read_bytes())
    with pytest.raises(InputError) as told:
        read_night(tmp_path)
    assert {"V", "R"} <= set(str(told.value).replace(",", "").split())


@pytest.mark.parametrize("cut", [0, 5, 40, 400, 100_000, -1, -5])
def test_a_torn_one_is_refused(kept_run, tmp_path, cut):
    (tmp_path / KEPT).write_bytes((kept_run[1] / KEPT).read_bytes()[:cut])
    with pytest.raises(InputError):
        read_night(tmp_path)


def test_a_bit_that_flipped_is_noticed(kept_run, tmp_path):
    whole = bytearray((kept_run[1] / KEPT).read_bytes())
    whole[len(whole) // 2] ^= 4
    (tmp_path / KEPT).write_bytes(whole)
    with pytest.raises(InputError, match="damaged"):
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
def test_one_whose_parts_do_not_fit_is_refused(kept_run, tmp_path, path, value):
    """Its check sum is right: somebody made it so."""
    forge(read_night(kept_run[1]), tmp_path, path, value)
    with pytest.raises(InputError):
        read_night(tmp_path)


def forge(night: Night, folder: Path, path: tuple[str, ...], value: object) -> None:
    """Write a night with one part put in the place of another."""

    class Forged:
        pass

    codec = type(CODEC)({**CODEC._plain, "Forged": Plain(lambda _: plain, lambda _: None)})
    arrays: list[np.ndarray] = []
    plain = CODEC._flatten(night, arrays)
    place = plain
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    codec._flatten = lambda _, found: found.extend(arrays) or plain
    (folder / KEPT).write_bytes(MARK + b"".join(codec.encode(Forged())))


def test_a_layout_that_nobody_numbered_is_called_another_version(kept_run, tmp_path):
    """As a version has it whose frames know something more, and that kept the number."""
    night = read_night(kept_run[1])
    of_frame = night.scene.reference.path
    forge(night, tmp_path, ("scene", "reference", "no_such"), str(of_frame))
    with pytest.raises(InputError, match=r"of another version of lightcurve \(.*no_such"):
        read_night(tmp_path)


def test_another_version_and_another_file_are_refused(kept_run, tmp_path):
    whole = (kept_run[1] / KEPT).read_bytes()
    # The layout before has the reference's header where this one has its text.
    for data in (whole.replace(b"night 2", b"night 1", 1), b"SQLite format 3\0" * 100, b""):
        assert data != whole
        (tmp_path / KEPT).write_bytes(data)
        with pytest.raises(InputError, match="another version of lightcurve, or not ours"):
            read_night(tmp_path)
