"""The story of a star seen from space, to its transits: `story` first, its steps beside it."""

__all__ = ["story"]
