"""Parts that pages share."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.core.data import Parameter
from lightcurve.report.html import parameter_table, round_together


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
