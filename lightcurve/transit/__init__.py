"""Ephemeris, limb darkening, transit model, priors, fit, sampling."""

__all__ = [
    "ephemeris",
    "fit",
    "fit_values",
    "inject",
    "joint",
    "keys",
    "limb_darkening",
    "mistakes",
    "model",
    "quality",
    "quick",
    "red_noise",
    "sample",
    "search",
    "smooth",
    "solve",
    "times",
    "variation",
]
