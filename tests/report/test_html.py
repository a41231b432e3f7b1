"""Parts that pages share."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.core.data import Parameter
from lightcurve.report.html import as_printed, in_words, parameter_table, round_together


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (
            Parameter(2458107.71203, 2458107.71093, 2458107.71313),
            ("2458107.7120", "0.0011", "0.0011"),
        ),
        (Parameter(0.1508, 0.1498, 0.1519), ("0.1508", "0.0010", "0.0011")),
        (Parameter(1234.0, 1200.0, 1300.0), ("1234", "34", "66")),
        (Parameter(3.0, np.nan, np.nan), ("3", "", "")),
    ],
)
def test_values_are_rounded_to_their_errors(parameter, expected):
    assert round_together(parameter) == expected
    assert parameter_table({"a_b": parameter}).rows[0][:2] == ("a b", expected[0])


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (Parameter(0.1508, 0.14975, 0.1519, "R"), "0.1508 +- 0.0011 R"),
        (Parameter(-0.31, -0.43, -0.19, "min"), "-0.31 +- 0.12 min"),
        (Parameter(9.0, 8.04, 9.99), "9.00 +- 0.99"),
        (Parameter(1234.0, 1200.0, 1300.0, "d"), "1234 -34 +66 d"),
        (Parameter(3.0, np.nan, np.nan, "%"), "3 %"),
    ],
)
def test_errors_that_are_alike_are_told_as_one(parameter, expected):
    assert in_words(parameter) == expected
    assert in_words(parameter, "x").split()[-1] == "x"


def test_values_are_told_in_other_units():
    assert in_words(Parameter(0.127, 0.125, 0.129, "d"), "h", 24.0) == "3.048 +- 0.048 h"


def test_signs_are_printed_and_hyphens_left_alone():
    minus, either = "\N{MINUS SIGN}", "\N{PLUS-MINUS SIGN}"
    told = as_printed("-0.3 HAT-P-32 b: -1.5 +- 0.2 (-.3), 2-3")
    assert told == f"{minus}0.3 HAT-P-32 b: {minus}1.5 {either} 0.2 ({minus}.3), 2-3"
