"""Ephemeris, limb darkening, transit model, priors, fit, sampling."""

__all__ = ["ephemeris", "fit", "fit_values", "model", "quality", "quick", "smooth"]
