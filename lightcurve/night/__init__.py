"""The main story, a folder of raw frames to a light curve: `story` first, its steps beside it."""

__all__ = [
    "bad_pixels",
    "calibrate",
    "demo",
    "fit_table",
    "grouping",
    "live_page",
    "live_status",
    "look",
    "measure_table",
    "nights",
<<<<<<< HEAD
    "plot",
    "prepare",
=======
    "outlook",
>>>>>>> 2f0318d (Let plan and inspect fit a screen and say what a night promises; refuse a target of another field)
    "quality",
    "reduced",
    "sets",
    "story",
    "tune",
    "watch",
]
