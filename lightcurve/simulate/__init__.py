"""A night at a synthetic observatory with known truth."""

__all__ = ["night", "observatory", "request", "sky", "to_order"]
