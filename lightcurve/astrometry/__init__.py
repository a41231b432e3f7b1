"""Plate solvers, star-pattern registration, and the WCS they give."""

__all__ = [
    "chain",
    "correlate",
    "few",
    "header_wcs",
    "index",
    "index_series",
    "overlay",
    "refine",
    "register",
    "request",
    "track",
    "transform",
    "wcs",
]
