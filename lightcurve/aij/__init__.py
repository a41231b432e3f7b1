"""What AstroImageJ does: its measurements, its tables, its settings files."""

__all__ = ["photometry", "read_table", "relative_flux", "rules", "settings_files", "write_table"]
