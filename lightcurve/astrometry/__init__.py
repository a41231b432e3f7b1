"""Plate solvers, star-pattern registration, and the WCS they give."""

__all__ = [
    "chain",
    "correlate",
    "few",
    "header_wcs",
    "index",
    "index_series",
    "nova",
    "overlay",
    "refine",
    "register",
    "request",
    "solve_field",
    "track",
    "transform",
    "wcs",
    "wcs_cards",
]
