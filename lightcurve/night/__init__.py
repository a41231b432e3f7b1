"""The main story, a folder of raw frames to a light curve: `story` first, its steps beside it."""

__all__ = [
    "bad_pixels",
    "calibrate",
    "demo",
    "figures",
    "fit_table",
    "grouping",
    "keep",
    "live_page",
    "live_status",
    "look",
    "measure_table",
    "nights",
    "outlook",
    "plot",
    "quality",
    "reduced",
    "sets",
    "story",
    "tune",
    "watch",
]
