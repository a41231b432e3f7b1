"""Each stage of the main job on its own, for whoever wants only that."""
