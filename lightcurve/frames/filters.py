"""Filter names, as the AAVSO and its users write them."""

from __future__ import annotations

import re

from lightcurve.frames.dialects import FILTER_NAMES

_KNOWN = {alias: name for name, aliases in FILTER_NAMES.items() for alias in aliases}
# A lone small letter is a Sloan band; a capital one is Johnson's or Cousins's.
_SMALL = {"u": "up", "g": "gp", "r": "rp", "i": "ip", "z": "zs"}


def normalise_filter(text: str) -> str:
    """Give a filter its usual name.

    Parameters
    ----------
    text : str
        As in a header.

    Returns
    -------
    str
        ``"V"``, ``"Rc"``, ``"ip"``, ``"CV"`` (no filter) ...; an unknown name as it stands.
    """
    text = " ".join(text.split())[:40]
    if text in _SMALL:
        return _SMALL[text]
    plain = re.sub(r"[\s_\-/.]+", " ", text.lower()).removesuffix(" filter").strip()
    return _KNOWN.get(plain, text)
