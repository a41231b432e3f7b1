"""Our own tables, and any light curve."""

__all__ = ["columns", "light_curves", "run_folder", "run_tables"]
