"""What both stories settle before they measure: which star, what camera, where a frame lies."""

__all__ = [
    "borrowed",
    "camera",
    "colour",
    "cosmic_rays",
    "doctor",
    "equipment",
    "index_files",
    "planet_table",
    "reference",
    "solving",
    "target",
    "times",
]
