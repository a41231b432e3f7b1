"""The story of nights to come: the transits a site sees; `story` first, its steps beside it."""

__all__ = ["products", "story", "transits"]
