"""Our own tables, and any light curve."""

__all__ = ["columns", "light_curves", "own", "run_folder"]
