"""Files to submit, one module a format."""

__all__ = ["aavso", "aavso_extended", "ades", "export", "formats", "submission"]
