"""The story of a single frame, to a catalogue: `story` first, its steps beside it."""

__all__ = ["batch", "folder", "moving", "path", "reduced", "solve_frames", "story", "write"]
