"""Files to submit, one module a format."""

__all__ = ["ades", "export", "formats", "submission"]
