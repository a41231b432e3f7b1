"""From the (frame, star, radius) cube to a relative light curve."""

__all__ = [
    "aperture",
    "choose",
    "detrend",
    "neb",
    "noise",
    "plan",
    "saturation",
    "shapes",
    "weightings",
]
