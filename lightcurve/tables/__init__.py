"""Our own tables, and any light curve."""

__all__ = ["columns", "light_curves", "look", "run_folder", "run_tables", "time_kinds"]
