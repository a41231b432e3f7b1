"""Angles as people write them, held to astropy's reading."""

from __future__ import annotations

import pytest
from astropy.coordinates import Angle
from hypothesis import given
from hypothesis import strategies as st

from lightcurve.core.coordinates import read_angle

PARTS = st.tuples(
    st.sampled_from(["", "+", "-"]), st.integers(0, 89), st.integers(0, 59), st.integers(0, 59),
    st.integers(0, 9999),
)  # fmt: skip


@given(PARTS)
def test_parts_between_colons(parts) -> None:
    sign, whole, minutes, seconds, fraction = parts
    text = f"{sign}{whole:02d}:{minutes:02d}:{seconds:02d}.{fraction}"
    known = Angle(text, "deg").deg
    assert read_angle(text) == known
    assert read_angle(text, hours=True) == 15 * known  # astropy's fifteen is 14.999999999999998


@given(st.decimals(-360, 360, places=7), st.booleans())
def test_decimal_degrees(value, hours) -> None:
    assert read_angle(f"{value:f}", hours=hours) == Angle(f"{value:f}", "deg").deg
    assert read_angle(float(value), hours=hours) == Angle(float(value), "deg").deg


@pytest.mark.parametrize(
    ("text", "hours", "degrees"),
    [
        ("1h30m", True, 22.5),
        ("1h30m", False, 22.5),
        ("10d30m", True, 10.5),
        ("1 30 0", True, 22.5),
        ("-0:30:00", False, -0.5),
        (" 12.5 ", False, 12.5),
    ],
)
def test_other_ways(text, hours, degrees) -> None:
    assert read_angle(text, hours=hours) == pytest.approx(degrees, abs=1e-12)


@pytest.mark.parametrize("text", ["", "north", "1:61:00", "1:2:3:4", "--3", "1_0:0:0"])
def test_what_is_none_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_angle(text)
