"""Changes that other frames show, or do not, and pixels that do not move with the sky."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from lightcurve.stack.again import STUCK, look_again

SHAPE = (120, 140)
STAR, HIT, WARM = (40.0, 60.0), (90.0, 30.0), (70.0, 90.0)  # on the first frame


def frame(name: str, shift: float, peaks: list[tuple[float, float]], out: Path) -> dict[str, Any]:
    """Write the score of a frame with peaks at places, and give its row: each is a change."""
    rng = np.random.default_rng(len(name) + int(shift))
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [30.0, 20.0]
    wcs.wcs.crpix, wcs.wcs.cdelt = [60 + shift, 60], [-1 / 3600, 1 / 3600]
    score = rng.normal(0, 1, SHAPE)
    for x, y in peaks:
        score[round(y), round(x)] = 8.0
    score[:, :4] = np.nan
    hdus = [fits.PrimaryHDU(header=wcs.to_header()), fits.ImageHDU(score, name="SCORE")]
    fits.HDUList(hdus).writeto(out / f"{name}.fits")
    found = []
    for x, y in peaks:
        ra, dec = wcs.all_pix2world(x, y, 0)
        found.append({"x": x, "y": y, "ra_deg": float(ra), "dec_deg": float(dec), "snr": 8.0,
                      "reason": ""})  # fmt: skip
    return {"difference": f"{name}.fits", "fwhm_px": 2.5, "found": found}


@pytest.fixture
def rows(tmp_path: Path) -> list[dict[str, Any]]:
    there = STAR[0] + 12, STAR[1]
    return [
        frame("a", 0, [STAR, HIT, WARM], tmp_path),
        frame("b", 12, [there, WARM], tmp_path),
        {"reason": "not solved"},
    ]


def test_a_star_is_seen_again_a_hit_is_not_and_a_warm_pixel_stays(rows, tmp_path: Path):
    first, second, failed = look_again(rows, tmp_path)
    star, hit, warm = first["found"]
    assert (star["looked_in"], star["seen_in"], star["reason"]) == (1, 1, "")
    assert (hit["looked_in"], hit["seen_in"], hit["reason"]) == (1, 0, "")
    assert [warm["reason"], second["found"][1]["reason"]] == [STUCK, STUCK]
    assert second["found"][0]["seen_in"] == 1
    assert failed == rows[2]


def test_a_place_that_no_other_frame_has_is_not_looked_at(tmp_path: Path):
    rows = [frame("a", 0, [(136.0, 50.0)], tmp_path), frame("b", 12, [], tmp_path)]
    ((only,), _) = (row["found"] for row in look_again(rows, tmp_path))
    assert (only["looked_in"], only["seen_in"]) == (0, 0)


def test_noise_is_not_taken_for_a_change_that_is_seen_again(tmp_path: Path):
    rng = np.random.default_rng(3)
    places = [tuple(rng.uniform(20, 100, 2)) for _ in range(200)]
    rows = [frame("a", 0, places, tmp_path), *(frame(f"b{k}", k, [], tmp_path) for k in range(6))]
    found = look_again(rows, tmp_path)[0]["found"]
    assert sum(one["seen_in"] > 0 for one in found) <= 6


def test_one_frame_alone_is_held_against_nothing(tmp_path: Path):
    rows = [frame("a", 0, [STAR], tmp_path)]
    assert look_again(rows, tmp_path) == rows
