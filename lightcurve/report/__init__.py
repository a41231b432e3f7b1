"""Figures and the HTML report."""

__all__ = [
    "field",
    "fit",
    "html",
    "image_maps",
    "image_page",
    "image_plots",
    "light_curve",
    "night",
    "seeing",
    "stars",
    "style",
]
