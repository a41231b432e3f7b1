"""What a fit is given: the points of a light curve, and how to fit them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from lightcurve.config import FitSettings
from lightcurve.transit.sample import MAX_STEPS


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How to fit.

    Attributes
    ----------
    filter_name : str or None
        For the limb darkening; the names of `Exposure.filter`.
    covariates : tuple of str or None
        The detrending set; None lets the data choose.
    forbidden : tuple of str
        Covariates the choice may not take; otherwise ``"meridian_flip"`` is always in it.
    bic_threshold : float
        A covariate must lower the BIC by more than this: 6 is called strong evidence (Kass &
        Raftery 1995). On 200 simulated nights that wander and have no trend, 2 lets 37 be
        detrended, and the pulls of Rp/R* widen to 1.4; 6 lets 6 be, and they stay at 1.2.
    sample : bool
        Sample the posterior; without it errors are those of the least-squares covariance.
    max_steps : int
        Of each walker.
    """

    filter_name: str | None = None
    covariates: tuple[str, ...] | None = None
    forbidden: tuple[str, ...] = ()
    bic_threshold: float = 6.0
    sample: bool = True
    max_steps: int = MAX_STEPS


def make_options(settings: FitSettings, filter_name: str | None) -> FitOptions:
    """Turn settings into options of the fit.

    Parameters
    ----------
    settings : FitSettings
    filter_name : str or None

    Returns
    -------
    FitOptions
    """
    return FitOptions(
        filter_name=filter_name,
        covariates=settings.covariates,
        forbidden=settings.forbidden,
        bic_threshold=settings.bic_threshold,
        sample=settings.sample,
        max_steps=settings.max_steps,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """A light curve as plain arrays.

    Attributes
    ----------
    time, flux, flux_err : (n,) float arrays
        BJD_TDB at mid-exposure, and relative flux of any level. A point that is not finite in any
        of them, or whose error is not positive, takes no part.
    exposure_s : float
    covariates : mapping of str to (n,) float array
        What the trend may be made of; time is always offered.
    """

    time: np.ndarray
    flux: np.ndarray
    flux_err: np.ndarray
    exposure_s: float
    covariates: Mapping[str, np.ndarray] = field(default_factory=dict)
