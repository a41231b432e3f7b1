"""Our own tables, and any light curve."""

__all__ = [
    "brightness",
    "columns",
    "light_curves",
    "look",
    "run_folder",
    "run_tables",
    "survey_index",
    "time_kinds",
]
