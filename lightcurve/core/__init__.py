"""What everything stands on: settings, the data that flow, errors, times, files, the network."""

__all__ = [
    "cache",
    "columns",
    "constants",
    "coordinates",
    "covariates",
    "data",
    "dates",
    "errors",
    "files",
    "flags",
    "http",
    "library_warnings",
    "progress",
    "quantities",
    "registry",
    "robust",
    "settings",
    "table_text",
    "times",
    "words",
]
