"""Ephemeris, limb darkening, transit model, priors, fit, sampling."""
