"""Files to submit, one module a format."""

__all__ = ["export", "formats", "submission"]
