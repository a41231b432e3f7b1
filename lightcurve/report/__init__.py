"""Figures and the HTML report."""

__all__ = [
    "before_after",
    "camera",
    "difference",
    "field",
    "fit",
    "html",
    "image_maps",
    "image_plots",
    "light_curve",
    "moving_plots",
    "night",
    "page",
    "quality",
    "season",
    "serve",
    "stack",
    "stars",
    "style",
    "tonight",
    "trust",
]
