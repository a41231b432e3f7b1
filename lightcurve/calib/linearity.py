"""Counts of a camera that is not linear, brought to a straight line by a polynomial.

Its terms are those of AstroImageJ: ``a0 + a1 v + a2 v^2 + ...`` of the counts above the bias.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def straighten(values: np.ndarray, terms: Sequence[float]) -> None:
    """Change counts above the bias, ADU, float32 of any shape, in place."""
    given = values.copy()
    values[...] = terms[-1]
    for term in terms[-2::-1]:
        values *= given
        values += np.float32(term)
