"""Two curves or tables side by side, and a table with its own frames."""

__all__ = ["describe", "frames", "recompute", "result", "tables"]
