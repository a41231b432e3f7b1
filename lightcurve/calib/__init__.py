"""Master frames, the reduction of one frame, bad pixels, gain and read noise."""

__all__ = ["bad_pixels", "by_hand", "gain", "master_files", "masters", "reduce"]
