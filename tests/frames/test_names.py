"""Products are named after frames: dots belong to a name, and no two frames share a product."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightcurve.frames.names import image_stem, product_stems
from lightcurve.image.batch import free_names


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("m1.fits", "m1"),
        ("m1.FIT", "m1"),
        ("m1.fts.gz", "m1"),
        ("m1.fits.FZ", "m1"),
        ("kp.20210101.000.fits", "kp.20210101.000"),
        ("kp.20210101.000.fits.bz2", "kp.20210101.000"),
        ("a.fits.fits", "a.fits"),
        ("notes.txt", "notes.txt"),
        ("kp.2021", "kp.2021"),
        (".fits", ".fits"),
        ("...fits", "...fits"),  # not "..", which is a folder
        ("/night/a.b.fits", "a.b"),
    ],
)
def test_only_the_suffix_is_no_part_of_the_name(name: str, stem: str) -> None:
    assert image_stem(name) == stem


def test_products_keep_what_tells_frames_apart() -> None:
    dotted = [f"kp.20210101.{k:03d}.fits" for k in range(3)]
    assert product_stems(dotted) == ["kp.20210101.000", "kp.20210101.001", "kp.20210101.002"]
    assert product_stems(["a.fit", "a.fits", "b.fits"]) == ["a.fit", "a.fits", "b"]
    assert product_stems(["x/a.fits", "y/a.fits"]) == ["x/a", "y/a"]
    assert product_stems(["a.fits", "a.fit", "a.fits.fits"]) == ["a.fits", "a.fit", "a.fits.fits"]
    assert product_stems(["A.fit", "a.fits"]) == ["A.fit", "a.fits"]


PARTS = st.sampled_from(["a", "b", ".fits", ".fit", ".fits.gz", ".001", "_cal"])


@given(st.sets(st.lists(PARTS, min_size=1, max_size=4).map("".join)))
def test_no_two_products_are_alike(labels: set[str]) -> None:
    stems = product_stems(sorted(labels))
    assert len(set(stems)) == len(labels)


def test_folders_of_reduced_frames_are_called_after_them() -> None:
    files = [Path("x/kp.2021.000.fits"), Path("kp.2021.001.fits"), Path("y/KP.2021.000.fits.gz")]
    assert free_names(files, None) == ["kp.2021.000", "kp.2021.001", "KP.2021.000_2"]
    # A frame that bears the number already is not mixed up with a second one of the same name.
    twice = [Path("a.fits"), Path("a_2.fits"), Path("b/a.fits")]
    assert free_names(twice, None) == ["a", "a_2", "a_3"]
