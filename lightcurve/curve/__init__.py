"""From the (frame, star, radius) cube to a relative light curve."""

__all__ = [
    "aperture",
    "blend",
    "choose",
    "detrend",
    "ensemble",
    "form",
    "named",
    "neb",
    "noise",
    "plan",
    "quoted",
    "retake",
    "saturation",
    "shapes",
    "weightings",
]
