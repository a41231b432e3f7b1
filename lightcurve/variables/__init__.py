"""The story of variable stars: `story` first, its steps beside it."""

__all__ = ["candidates", "products", "story"]
