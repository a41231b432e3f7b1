"""The story of many frames of one field, to one deep image: `story` first, its steps beside it."""

__all__ = ["check", "onto", "story", "subtract"]
