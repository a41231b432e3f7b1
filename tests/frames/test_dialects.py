"""The tables of words: whole, without contradictions, and refused where they are no such table."""

from __future__ import annotations

from collections import Counter

import pytest
from pydantic import TypeAdapter, ValidationError

from lightcurve.core.data import Stamp
from lightcurve.frames.dialects import CLOCKS, FILTERS, KINDS, Clocks

GOOD = {
    "dates": {"DATE-OBS": "start", "T-ANY": "any"}, "numbers": {}, "hours": [], "days": [],
    "local": [], "with_offset": [], "columns": [], "scales": {},
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong", [{"dates": {"DATE-OBS": "begin"}}, {"scales": {"TT": "none"}}, {"more": 1}]
)
def test_a_table_that_is_none_is_refused_as_it_is_read(wrong: dict) -> None:
    read = TypeAdapter(Clocks)
    assert read.validate_python(GOOD).dates == {"DATE-OBS": Stamp.START, "T-ANY": None}
    with pytest.raises(ValidationError):
        read.validate_python(GOOD | wrong)


def test_no_word_has_two_meanings() -> None:
    for table in (FILTERS.names, KINDS.words):
        counted = Counter(word for words in table.values() for word in words)
        assert not [word for word, n in counted.items() if n > 1]


def test_every_clock_of_local_time_and_every_day_is_a_clock() -> None:
    assert CLOCKS.local <= CLOCKS.dates.keys()
    assert {*CLOCKS.with_offset} <= CLOCKS.dates.keys()
