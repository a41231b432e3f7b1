"""The story of a survey: many nights as one queue; `story` first, its steps beside it."""

__all__ = ["story"]
