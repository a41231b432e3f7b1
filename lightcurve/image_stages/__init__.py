"""The parts of the single-image story, each a module."""
