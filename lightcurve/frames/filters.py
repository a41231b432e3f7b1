"""Filter names, as the AAVSO and its users write them."""

from __future__ import annotations

import re

_NAMES: dict[str, tuple[str, ...]] = {
    "U": ("u johnson", "johnson u", "bessell u", "bessel u"),
    "B": ("b", "b johnson", "johnson b", "bessell b", "bessel b", "bj", "jb"),
    "V": ("v", "v johnson", "johnson v", "bessell v", "bessel v", "vj", "jv", "photv"),
    "Rc": (
        "r",
        "rc",
        "r c",
        "cousins r",
        "r cousins",
        "bessell r",
        "bessel r",
        "johnson r",
        "johnson cousins r",
        "cr",
    ),
    "Ic": (
        "i",
        "ic",
        "i c",
        "cousins i",
        "i cousins",
        "bessell i",
        "bessel i",
        "johnson i",
        "johnson cousins i",
        "ci",
    ),
    "up": ("up", "u'", "sdss u", "sloan u", "sdss up", "su", "u sdss", "u sloan"),
    "gp": ("gp", "g'", "sdss g", "sloan g", "sdss gp", "sg", "g sdss", "g sloan"),
    "rp": ("rp", "r'", "sdss r", "sloan r", "sdss rp", "sr", "r sdss", "r sloan"),
    "ip": ("ip", "i'", "sdss i", "sloan i", "sdss ip", "si", "i sdss", "i sloan"),
    "zs": ("zs", "zp", "z'", "z", "sdss z", "sloan z", "sz", "z sdss", "z sloan"),
    "Y": ("y", "ys"),
    "CV": ("clear", "c", "cv", "unfiltered", "no filter", "open", "clr", "air", "empty"),
    "CBB": ("cbb", "exo", "astrodon exo", "clear blue blocking"),
    "L": ("l", "lum", "luminance", "lumen"),
    "TR": ("red", "tr"),
    "TG": ("green", "tg"),
    "TB": ("blue", "tb"),
    "HA": ("ha", "h alpha", "halpha", "h a"),
    "OIII": ("oiii", "o iii", "o3"),
    "SII": ("sii", "s ii", "s2"),
}
_KNOWN = {alias: name for name, aliases in _NAMES.items() for alias in aliases}
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
