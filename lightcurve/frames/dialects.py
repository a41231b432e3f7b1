"""How programs and observatories write their headers: all of it, as data, in this one place.

To teach the program a new camera or program, add its keywords and words here, and a test with its
header's text. Where one keyword means different things to different programs (GAIN, RA, PIXSIZE,
LONGITUD ...), the reader of that quantity decides by unit, comment and format, and says how.
"""

from __future__ import annotations

from lightcurve.core.data import FrameKind, Stamp, Step

# What each quantity is called, best source first.
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
    "trim_section": ("TRIMSEC",),
    "data_section": ("DATASEC",),
    "overscan_section": ("BIASSEC",),
    "detector_section": ("DETSEC", "CCDSEC"),
    "unit": ("BUNIT",),
    "nanomaggies_per_count": ("NMGY",),
    "mosaic": ("BAYERPAT", "BAYRPAT", "CFAIMAGE", "COLORTYP"),
    "mosaic_x": ("XBAYROFF", "BAYOFFX"),
    "mosaic_y": ("YBAYROFF", "BAYOFFY"),
    "row_order": ("ROWORDER",),
    "gain_setting": ("GAIN", "ISOSPEED", "ISO", "READOUTM", "OFFSET"),
    "frames_stacked": ("STACKCNT", "NCOMBINE", "SNAPSHOT", "NUMFRAME", "NIMAGES"),
    "cadence": (
        "KCT",
        "CYCLTIME",
        "FRMTIME",
        "FRAMETIM",
        "TFRAME",
        "CADENCE",
        "FRATE",
        "FPS",
        "FRAMERAT",
        "FRMRATE",
    ),
    "total_exposure": ("TOTALEXP", "LIVETIME"),
    "serial": ("SERIALNO", "SERNO", "SERIAL", "CAMSERNO", "CAMSN", "DETSERNO", "CAMERAID"),
    "calibration_done": ("CALSTAT",),
    # IRAF, ccdproc, LCO's BANZAI, AstroPhotography
    "bias_done": ("BIASCOR", "BIASCORR", "ZEROCOR", "SUBBIAS", "BIASSUB", "L1STATBI"),
    "dark_done": ("DARKCOR", "DARKCORR", "SUBDARK", "DARKSUB", "L1STATDA"),
    "flat_done": ("FLATCOR", "FLATCORR", "FLATDIV", "L1STATFL"),
    "pedestal": ("PEDESTAL",),
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
# Keywords of which a convention settles what their cards leave open.
EAST_POSITIVE = {
    "OBSGEO-L": "FITS standard: east positive",
    "SITELONG": "ASCOM: east positive",
    "ESO TEL GEOLON": "ESO: east positive",
}
DEGREES_OF_RA = frozenset({"CRVAL1", "RA-D"})
HOURS_OF_RA = frozenset({"OBJCTRA"})
SET_POINTS = frozenset({"SET-TEMP", "CCDSTEMP"})  # the temperature wanted, not the one there is
# Keyword -> moment it marks; None where programs differ. Order: best first among equals.
DATES: dict[str, Stamp | None] = {
    "DATE-BEG": Stamp.START,
    "DATE-OBS": Stamp.START,
    "UT-OBS": Stamp.START,
    "UTC-OBS": Stamp.START,
    "DATE_OBS": Stamp.START,
    "DATEOBS": Stamp.START,
    "DATE-HP": Stamp.START,
    "DATE-AVG": Stamp.MID,
    "DATE-MID": Stamp.MID,
    "DATE-END": Stamp.END,
    "DATE-LOC": Stamp.START,
}
NUMBERS: dict[str, Stamp | None] = {
    "MJD-BEG": Stamp.START,
    "MJD-OBS": Stamp.START,
    "MJD_OBS": Stamp.START,
    "EXPSTART": Stamp.START,
    "MJD-AVG": Stamp.MID,
    "MJD-MID": Stamp.MID,
    "MJD-END": Stamp.END,
    "EXPEND": Stamp.END,
    "JD_UTC": None,
    "JD-OBS": None,
    "JD": None,
    "MJD": None,
}
HOURS = ("UT-OBS", "UTC-OBS", "UTSTART", "UT-START", "TIME-OBS", "TIME_OBS", "UTC", "UT", "UTIME")
DATE_KEYS = ("UT-DATE", "UTDATE", "DATE-OBS", "DATE_OBS", "DATEOBS", "DATE-BEG")
TAI_SCALES = {"TT": 0.0, "TDT": 0.0, "ET": 0.0, "TDB": 0.0, "TAI": 32.184, "GPS": 51.184}
LOCAL_CLOCKS = ("DATE-LOC",)
OFFSET_CLOCKS = ("DATE-OBS", "DATE-END", "DATE-BEG", "DATE-LOC")  # may carry an offset from UTC
# What programs write into HISTORY when they calibrate: MaxIm DL, AstroImageJ, PixInsight, Siril.
HISTORY_WORDS = {
    Step.BIAS: r"bias (?:subtract|correct)\w*|masterBiasEnabled: true",
    Step.DARK: r"dark (?:subtract|correct)\w*|masterDarkEnabled: true",
    Step.FLAT: r"flat[ -]field(?: \(|ed|ing| correct)|flat (?:correct|divi[ds])\w*|"
    r"masterFlatEnabled: true",
}
# Words of image types and file names.
KIND_WORDS = {
    "bias": FrameKind.BIAS,
    "biases": FrameKind.BIAS,
    "zero": FrameKind.BIAS,
    "zeros": FrameKind.BIAS,
    "offset": FrameKind.BIAS,
    "offsets": FrameKind.BIAS,
    "dark": FrameKind.DARK,
    "darks": FrameKind.DARK,
    "flat": FrameKind.FLAT,
    "flats": FrameKind.FLAT,
    "skyflat": FrameKind.FLAT,
    "skyflats": FrameKind.FLAT,
    "domeflat": FrameKind.FLAT,
    "domeflats": FrameKind.FLAT,
    "twilight": FrameKind.FLAT,
    "flatfield": FrameKind.FLAT,
    "darkflat": FrameKind.DARK_FLAT,
    "darkflats": FrameKind.DARK_FLAT,
    "flatdark": FrameKind.DARK_FLAT,
    "flatdarks": FrameKind.DARK_FLAT,
    "light": FrameKind.LIGHT,
    "lights": FrameKind.LIGHT,
    "science": FrameKind.LIGHT,
    "sci": FrameKind.LIGHT,
    "object": FrameKind.LIGHT,
    "objects": FrameKind.LIGHT,
    "expose": FrameKind.LIGHT,
    "exposure": FrameKind.LIGHT,
    "target": FrameKind.LIGHT,
    "lrp": FrameKind.LIGHT,
}
# Names of filters, and what others write, in small letters and without punctuation. Two bands are
# never one: Sloan z' (zp) is not the short z of Pan-STARRS (zs), Gaia's RP is not Sloan r'.
FILTER_NAMES: dict[str, tuple[str, ...]] = {
    "B": ("b", "bj", "jb"),
    "V": ("v", "vj", "jv", "photv"),
    "Rc": ("r", "rc", "r c", "cr", "rj"),
    "Ic": ("i", "ic", "i c", "ci", "ij"),
    "up": ("up", "u'", "su"),
    "gp": ("gp", "g'", "sg"),
    "rp": ("rp", "r'", "sr"),
    "ip": ("ip", "i'", "si"),
    "zp": ("zp", "z'", "z", "sz"),
    "zs": ("zs", "z s", "zshort", "z short"),
    "Y": ("y", "ys"),
    "I+z": ("i+z", "i z"),
    "CV": (
        *("clear", "c", "cv", "unfiltered", "no", "none", "nofilter", "open", "clr", "air"),
        *("empty", "luxuvircut", "uv ir cut", "uvir cut", "uvircut", "ir cut", "ircut"),
        *("ir uv cut", "uv ir"),
    ),
    "CR": ("clear red",),
    "CBB": ("cbb", "exo", "exoplanet", "exoplanet bb", "exo bb", "clear blue blocking", "bb"),
    "L": ("l", "lum", "luminance", "lumen"),
    "G": ("gaia g", "g gaia"),
    "BP": ("gaia bp", "g bp", "bp gaia", "gbp"),
    "RP": ("gaia rp", "g rp", "rp gaia", "grp"),
    "TR": ("red", "tr"),
    "TG": ("green", "tg"),
    "TB": ("blue", "tb"),
    "HA": ("ha", "h alpha", "halpha", "h a"),
    "OIII": ("oiii", "o iii", "o3"),
    "SII": ("sii", "s ii", "s2"),
}
# As they stand, for here a capital tells: a lone small letter is a Sloan band, a capital one is
# Johnson's or Cousins's; Gaia's bands have a capital.
FILTERS_BY_CASE = {
    "u": "up", "g": "gp", "r": "rp", "i": "ip", "z": "zp", "U": "U", "G": "TG",
    "Rp": "RP", "RP": "RP", "Bp": "BP", "BP": "BP",
}  # fmt: skip
# The system that a filter is of, by words beside its letter, and its letters' names there.
FILTER_SYSTEMS: tuple[tuple[frozenset[str], dict[str, str]], ...] = (
    (
        frozenset({"sdss", "sloan", "sloansdss"}),
        {"u": "up", "g": "gp", "r": "rp", "i": "ip", "z": "zp", "y": "Y"},
    ),
    (
        frozenset({"ps1", "panstarrs", "pan", "starrs", "ps"}),
        {"g": "gp", "r": "rp", "i": "ip", "z": "zs", "y": "Y", "zs": "zs"},
    ),
    (
        frozenset({"johnson", "cousins", "bessell", "bessel", "bess", "landolt", "kron", "uvbri",
                   "ubvri", "bvri", "jc", "cousin"}),
        {"u": "U", "b": "B", "v": "V", "r": "Rc", "i": "Ic", "j": "J", "h": "H", "k": "K"},
    ),
)  # fmt: skip
# They say nothing of the band.
FILTER_MAKERS = frozenset({
    "filter", "filtre", "band", "photometric", "photometry", "astrodon", "baader", "chroma",
    "optolong", "zwo", "antlia", "custom", "scientific", "andover", "omega", "schuler", "edmund",
    "gen2", "gen", "series",
})  # fmt: skip
