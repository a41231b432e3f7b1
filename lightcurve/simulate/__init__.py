"""A night at a synthetic observatory with known truth."""

__all__ = ["night", "observatory", "order", "request", "sky"]
