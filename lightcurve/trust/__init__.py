"""The story of transits put into a user's own night: `story` first, its steps beside it."""

__all__ = ["story"]
