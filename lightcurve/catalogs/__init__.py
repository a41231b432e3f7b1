"""Catalogues and services: one small file each, one cache, cross-match."""

__all__ = [
    "bands",
    "catalog_file",
    "crossmatch",
    "ephemeris",
    "exoclock",
    "exoplanet_archive",
    "hips",
    "horizons",
    "known_planets",
    "known_stars",
    "layout",
    "mast",
    "motion",
    "reach",
    "services",
    "sesame",
    "skybot",
    "standard_stars",
]
