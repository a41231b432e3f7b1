"""What AstroImageJ does: its measurements, its tables, its settings files."""

__all__ = [
    "find_rules",
    "photometry",
    "read_table",
    "relative_flux",
    "settings_files",
    "write_table",
]
