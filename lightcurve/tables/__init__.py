"""Our own tables, and any light curve."""

__all__ = [
    "brightness",
    "columns",
    "fits_table",
    "light_curves",
    "look",
    "missions",
    "pixel_file",
    "run_folder",
    "run_tables",
    "survey_index",
    "time_kinds",
]
