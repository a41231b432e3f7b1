"""Master frames, the reduction of one frame, bad pixels, gain and read noise."""
