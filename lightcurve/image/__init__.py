"""The story of a single frame, to a catalogue: `story` first, its steps beside it."""

__all__ = ["batch", "moving", "path", "reduced", "sky", "solve_frames", "story", "write"]
