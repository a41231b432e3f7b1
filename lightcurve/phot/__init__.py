"""Detection, centroid, aperture, noise, seeing: measurements on one image."""
