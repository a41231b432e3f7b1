"""Read any FITS file, normalise its header, take stock of a folder."""

__all__ = [
    "cards",
    "dialects",
    "dim",
    "edit",
    "entries",
    "fixes",
    "headers",
    "inspect",
    "inventory",
    "kinds",
    "location",
    "mosaic",
    "names",
    "pixels",
    "planes",
    "pointing",
    "read",
    "sections",
]
