"""The points of a light curve, as a fit is given them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """A light curve as plain arrays.

    time, flux, flux_err : (n,) float arrays, BJD_TDB at mid-exposure, and relative flux of any
        level. A point that is not finite in any of them, or whose error is not positive, takes
        no part.
    """

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    exposure_s: float
    # mapping of str to (n,), what the trend may be made of; time is always offered
    covariates: Mapping[str, np.ndarray] = field(default_factory=dict)
    filter_name: str | None = None  # for the limb darkening; the names of `Exposure.filter`
