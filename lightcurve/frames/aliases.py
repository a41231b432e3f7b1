"""The one table of header keywords: what each program calls a quantity, best source first.

To teach the program a new camera or program, add its keyword here. Where one keyword means
different things to different programs (GAIN, RA, PIXSIZE, LONGITUD ...), the reader of that
quantity decides by unit, comment and format, and says how.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lightcurve.frames.cards import Card, Cards

ALIASES: dict[str, tuple[str, ...]] = {
    "exposure": (
        "EXPTIME",
        "EXPOSURE",
        "XPOSURE",
        "EXP_TIME",
        "EXPOSTIM",
        "TEXPTIME",
        "ITIME",
        "EXP",
        "ESO DET WIN1 DIT1",
        "ESO DET DIT",
    ),
    "filter": (
        "FILTER",
        "FILTNAM",
        "FILTNAME",
        "FILTERID",
        "FILTERNA",
        "INSFILTE",
        "FILT-1",
        "FILTER1",
        "FILTER2",
        "FILTERS",
        "ESO INS FILT1 NAME",
    ),
    "camera": ("INSTRUME", "CAMERA", "DETECTOR", "DETNAM"),
    "telescope": ("TELESCOP", "TELNAME"),
    "telescope_diameter": ("APTDIA",),
    "object_name": ("OBJECT", "OBJNAME", "TARGNAME", "TARGET"),
    "gain": ("EGAIN", "GAIN", "GAINX", "CCDGAIN", "EPERDN", "GAIN1", "ESO DET OUT1 CONAD"),
    "read_noise": (
        "RDNOISE",
        "READNOIS",
        "READNOISE",
        "RON",
        "RDNOIS",
        "ENOISE",
        "RONOISE",
        "RDNOISE1",
        "ESO DET OUT1 RON",
    ),
    "saturation": ("SATURATE", "SATLEVEL", "SATURATI", "SATUR", "FULLWELL", "SATVALUE"),
    "temperature": (
        "CCD-TEMP",
        "CCDTEMP",
        "CAMTEMP",
        "DET-TEMP",
        "DETTEMP",
        "CCDATEMP",
        "SENSTEMP",
        "CHIPTEMP",
        "TEMPERAT",
        "SET-TEMP",
        "CCDSTEMP",
    ),
    "kind": (
        "IMAGETYP",
        "IMAGETYPE",
        "IMGTYPE",
        "FRAMETYP",
        "FRAME",
        "OBSTYPE",
        "IMTYPE",
        "OBS_TYPE",
        "EXPTYPE",
        "CALFRAME",
        "ESO DPR TYPE",
    ),
    "scale": (
        "PIXSCALE",
        "SCALE",
        "SECPIX",
        "SECPIX1",
        "PIXSCAL1",
        "PIXELSCAL",
        "PIXELSCA",
        "IM_SCALE",
        "IMGSCALE",
        "PSCALE",
    ),
    "focal_length": ("FOCALLEN", "FOCAL", "FOCLEN", "FL", "FOCUSLNG", "TELFOCUS"),
    "pixel_size": ("XPIXSZ", "PIXSIZE1", "PIXELSIZE", "PIXSIZE", "XPIXELSZ", "PIXELMICRONS"),
    "binning_x": ("XBINNING", "CCDXBIN", "XBIN", "BINX", "BIN_X", "CCDBIN1", "HBIN"),
    "binning_y": ("YBINNING", "CCDYBIN", "YBIN", "BINY", "BIN_Y", "CCDBIN2", "VBIN"),
    "binning": ("BINNING", "CCDSUM", "BIN"),
    "latitude": (
        "OBSGEO-B",
        "LAT-OBS",
        "SITELAT",
        "LATITUDE",
        "OBS-LAT",
        "OBSLAT",
        "GEOLAT",
        "GEO_LAT",
        "LAT_OBS",
        "TELLAT",
        "LAT",
        "ESO TEL GEOLAT",
    ),
    "longitude": (
        "OBSGEO-L",
        "LONG-OBS",
        "SITELONG",
        "LONGITUD",
        "LONGITUDE",
        "OBS-LONG",
        "OBSLONG",
        "OBSLON",
        "GEOLON",
        "GEOLONG",
        "GEO_LONG",
        "LONG_OBS",
        "LON-OBS",
        "TELLONG",
        "LONG",
        "ESO TEL GEOLON",
    ),
    "height": (
        "OBSGEO-H",
        "ALT-OBS",
        "SITEELEV",
        "SITEALT",
        "HEIGHT",
        "OBS-ELEV",
        "OBSALT",
        "OBSELEV",
        "ELEVATIO",
        "ALTITUDE",
        "GEOELEV",
        "ALT_OBS",
        "OBS_ELEV",
        "ESO TEL GEOELEV",
    ),
    "site_name": ("OBSERVAT", "SITENAME", "OBSNAME", "SITE", "LOCATION"),
    "sidereal_time": ("LST", "ST", "LST-OBS", "SIDTIME", "SIDEREAL", "LST_OBS", "LMST"),
    "hour_angle": ("HA", "OBJCTHA", "HOURANG", "TELHA", "LHA"),
    "altitude": ("CENTALT", "OBJCTALT", "TELALT", "ALT", "EL", "ELEVATION"),
    "airmass": ("AIRMASS", "SECZ"),
    "gain_setting": ("GAIN", "ISOSPEED", "ISO", "READOUTM", "OFFSET"),
    "frames_stacked": ("STACKCNT", "NCOMBINE", "SNAPSHOT", "NUMFRAME", "NIMAGES"),
    "calibration_done": ("CALSTAT",),
    "own_product": ("LCPRODCT",),
}

# Pairs, best source first; the last is the reference point of a WCS.
POINTINGS = (
    ("RA", "DEC"),
    ("OBJCTRA", "OBJCTDEC"),
    ("OBJRA", "OBJDEC"),
    ("RA_OBJ", "DEC_OBJ"),
    ("TELRA", "TELDEC"),
    ("RA_TARG", "DEC_TARG"),
    ("TARGRA", "TARGDEC"),
    ("OBSRA", "OBSDEC"),
    ("RA-OBS", "DEC-OBS"),
    ("RA-D", "DEC-D"),
    ("CRVAL1", "CRVAL2"),
)


class Found(NamedTuple):
    """A card with the keyword under which it stood."""

    keyword: str
    text: str
    comment: str

    @property
    def source(self) -> str:
        """Say where the value came from."""
        return f"header {self.keyword}"


_EMPTY = frozenset({"", "none", "n/a", "na", "null", "unknown", "undefined", "undef", "nan", "-"})


def find(cards: Cards, quantity: str) -> Found | None:
    """Find the best filled card of a quantity.

    Parameters
    ----------
    cards : dict of str to Card
    quantity : str
        A name of `ALIASES`.

    Returns
    -------
    Found or None
    """
    return next(find_all(cards, quantity), None)


def find_all(cards: Cards, quantity: str) -> Iterator[Found]:
    """Go through all filled cards of a quantity, best first.

    Parameters
    ----------
    cards : dict of str to Card
    quantity : str

    Yields
    ------
    Found
    """
    for keyword in ALIASES[quantity]:
        card: Card | None = cards.get(keyword)
        if card is not None and card.text.lower() not in _EMPTY:
            yield Found(keyword, card.text, card.comment)
