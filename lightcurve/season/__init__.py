"""The story of many nights of one planet, to its ephemeris: `story` first, its steps beside it."""

__all__ = ["nights", "page", "story", "tables"]
