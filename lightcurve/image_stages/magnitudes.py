"""Every kind of flux of a frame as magnitudes."""

from __future__ import annotations

import numpy as np

from lightcurve.image_stages.data import Sources


def fluxes(sources: Sources) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """List every kind of flux.

    Returns list of (name, text, flux, flux_err), ADU.
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
