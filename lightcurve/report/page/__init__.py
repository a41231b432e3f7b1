"""The page of a night: one HTML file, read from disk, in which its light curve can be tried."""
