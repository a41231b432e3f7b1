"""Read any FITS file, normalise its header, take stock of a folder."""
