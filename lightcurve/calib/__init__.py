"""Master frames, the reduction of one frame, bad pixels, gain and read noise."""

__all__ = [
    "arithmetic",
    "bad_pixel_map",
    "bad_pixels",
    "gain",
    "library",
    "master_files",
    "match",
    "one_by_one",
    "reduce",
    "repair",
    "sky_noise",
    "warm",
]
