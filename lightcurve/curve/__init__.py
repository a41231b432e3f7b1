"""From the (frame, star, radius) cube to a relative light curve."""
