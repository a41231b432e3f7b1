"""From the (frame, star, radius) cube to a relative light curve."""

__all__ = [
    "aperture",
    "blend",
    "choose",
    "detrend",
    "form",
    "neb",
    "noise",
    "plan",
    "quoted",
    "retake",
    "saturation",
    "shapes",
    "weightings",
]
