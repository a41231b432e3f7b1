"""Every kind of flux of a frame as magnitudes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightcurve.image_stages.sources import Sources
from lightcurve.phot.zeropoint import ZeroPoint


@dataclass(frozen=True, slots=True, eq=False)
class Magnitudes:
    """One kind of flux as magnitudes.

    Attributes
    ----------
    name : str
        ``"aperture_1_3"`` (1.3 FWHM) ... or ``"psf"``.
    text : str
        The same for people.
    inst, inst_err : (n,) float arrays
        ``-2.5 log10(ADU / s)`` and its error.
    zero_point : ZeroPoint or None
        None when it could not be fitted.
    mag, err : (n,) float arrays
        Calibrated; NaN without a zero point. The error has that of the zero point in it.
    """

    name: str
    text: str
    inst: np.ndarray
    inst_err: np.ndarray
    zero_point: ZeroPoint | None
    mag: np.ndarray
    err: np.ndarray

    @property
    def shown(self) -> np.ndarray:
        """Calibrated magnitudes, or instrumental ones where there is no zero point."""
        return self.inst if self.zero_point is None else self.mag

    @property
    def shown_err(self) -> np.ndarray:
        """Their errors."""
        return self.inst_err if self.zero_point is None else self.err


def fluxes(sources: Sources) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """List every kind of flux.

    Returns
    -------
    list of (name, text, flux, flux_err)
        ADU.
    """
    apertures, phot = sources.apertures, sources.phot
    kinds = [
        (f"aperture_{_word(m)}", f"aperture of {m:.3g} FWHM", phot.flux[:, k], phot.flux_err[:, k])
        for k, m in enumerate(apertures.multiples)
    ]
    if sources.psf_phot is not None:
        kinds.append(("psf", "PSF", sources.psf_phot.flux, sources.psf_phot.flux_err))
    return kinds


def _word(multiple: float) -> str:
    return f"{multiple:.2g}".replace(".", "_")
