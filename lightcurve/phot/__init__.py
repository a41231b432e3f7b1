"""Detection, centroid, aperture, noise, seeing: measurements on one image."""

__all__ = [
    "aperture",
    "background",
    "centroid",
    "cutouts",
    "depth",
    "detect",
    "epsf",
    "finder",
    "grains",
    "methods",
    "mosaic",
    "noise",
    "pairs",
    "psf",
    "psf_fit",
    "seeing",
    "shapes",
    "squares",
    "trails",
    "zero_point",
]
