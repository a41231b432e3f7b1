"""Files to submit, one module a format."""

__all__ = ["exofop", "export", "formats", "run_folder", "submission"]
