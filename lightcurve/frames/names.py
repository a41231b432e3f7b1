"""What products are called after the frames they were made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lightcurve.frames.read import PACKED_SUFFIXES, is_image_name

__all__ = ["image_stem", "product_stems"]


def image_stem(path: str | Path) -> str:
    """Take the suffix of a FITS file off its name; dots before it belong to the name.

    Returns
    -------
    str
        ``kp.20210101.001.fits.gz`` gives ``kp.20210101.001``; a name that is no FITS image's, or
        that would become one of dots alone, stays whole.
    """
    name = Path(path).name
    if not is_image_name(name):
        return name
    stem = name
    for suffix in PACKED_SUFFIXES:
        stem = stem[: -len(suffix)] if stem.lower().endswith(suffix) else stem
    stem = stem.rpartition(".")[0]
    return stem if stem.strip(".") else name


def product_stems(labels: Sequence[str]) -> list[str]:
    """Name products so that no two frames share one.

    Parameters
    ----------
    labels : sequence of str
        The frames, as told apart by name and as much of their folders as need be; no two alike.

    Returns
    -------
    list of str
        Each without its suffix, or with it where two would be alike, also on a disk that does
        not tell upper case from lower.
    """
    stems = [str(Path(label).with_name(image_stem(label))) for label in labels]
    while True:
        times = Counter(stem.casefold() for stem in stems)
        pairs = zip(labels, stems, strict=True)
        whole = [label if times[stem.casefold()] > 1 else stem for label, stem in pairs]
        if whole == stems:
            return stems
        # Once more: a whole name, a.fits, may in turn be the stem of another, a.fits.fits.
        stems = whole
