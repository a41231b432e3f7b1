"""FITS headers as different programs write them: one function for each manner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.constants import ARCSEC_UM_PER_MM, DAY_S, J2000_JD, MJD_ZERO
from lightcurve.core.data import FrameKind
from lightcurve.simulate.observatory import Night, SimCamera, sidereal_deg

if TYPE_CHECKING:
    from astropy.io.fits import Header

Card = tuple[str, object, str]  # keyword, value, comment


@dataclass(frozen=True, slots=True)
class Shot:
    """One exposure as the acquisition software knows it.

    ra_deg, dec_deg : where the mount believes it points.
    """

    kind: FrameKind
    file: str
    start_jd_utc: float
    exposure_s: float
    object_name: str
    ra_deg: float
    dec_deg: float
    airmass: float
    night: Night
    camera: SimCamera


def _standard(shot: Shot) -> list[Card]:
    """Follow the FITS standard and its conventions, every value with its unit."""
    start, end = (utc(shot.start_jd_utc + s / DAY_S) for s in (0, shot.exposure_s))
    site, camera = shot.night.site, shot.camera
    return [
        ("IMAGETYP", shot.kind, "type of exposure"),
        ("OBJECT", shot.object_name, ""),
        ("TIMESYS", "UTC", "time scale"),
        ("DATE-OBS", iso(start), "start of exposure"),
        ("DATE-END", iso(end), "end of exposure"),
        ("MJD-OBS", round(shot.start_jd_utc - MJD_ZERO, 8), "[d] start of exposure"),
        ("EXPTIME", shot.exposure_s, "[s] exposure"),
        ("FILTER", shot.night.filter, ""),
        ("RA", round(shot.ra_deg, 6), "[deg] pointing, ICRS"),
        ("DEC", round(shot.dec_deg, 6), "[deg] pointing, ICRS"),
        ("AIRMASS", rounded(shot.airmass), "at mid-exposure"),
        ("INSTRUME", camera.name, "camera"),
        ("TELESCOP", camera.telescope, ""),
        ("GAIN", camera.gain_e_per_adu, "[electron/adu]"),
        ("RDNOISE", camera.read_noise_e, "[electron]"),
        ("SATURATE", camera.full_scale_adu, "[adu]"),
        ("CCD-TEMP", camera.temperature_c, "[degC]"),
        ("XBINNING", 1, ""),
        ("YBINNING", 1, ""),
        ("PIXSCALE", camera.scale_arcsec, "[arcsec/pix]"),
        ("SITELAT", site.latitude_deg, "[deg] north positive"),
        ("SITELONG", site.longitude_deg, "[deg] east positive"),
        ("SITEELEV", site.height_m, "[m]"),
    ]


def _maxim(shot: Shot) -> list[Card]:
    """Write as MaxIm DL does: SBFITSEXT keywords, sexagesimal with blanks, optics in mm and um."""
    frame = shot.kind.title()
    site, camera = shot.night.site, shot.camera
    cards = [
        ("DATE-OBS", iso(utc(shot.start_jd_utc)), "[ISO 8601] UTC date/time of exposure start"),
        ("EXPTIME", shot.exposure_s, "[sec] Duration of exposure"),
        ("EXPOSURE", shot.exposure_s, "[sec] Duration of exposure"),
        ("SET-TEMP", camera.temperature_c, "CCD temperature setpoint in C"),
        ("CCD-TEMP", camera.temperature_c + 0.04, "CCD temperature at start of exposure in C"),
        ("XPIXSZ", 9.0, "Pixel Width in microns (after binning)"),
        ("YPIXSZ", 9.0, "Pixel Height in microns (after binning)"),
        ("XBINNING", 1, "Binning level along the X-axis"),
        ("YBINNING", 1, "Binning level along the Y-axis"),
        ("EGAIN", camera.gain_e_per_adu, "Electronic gain in e-/ADU"),
        ("FILTER", shot.night.filter, "Filter name"),
        ("IMAGETYP", f"{frame} Frame", "Type of image"),
        ("SITELAT", sexagesimal(site.latitude_deg, " "), "Latitude of the imaging location"),
        ("SITELONG", sexagesimal(site.longitude_deg, " "), "Longitude of the imaging location"),
        ("JD", shot.start_jd_utc, "Julian Date at start of exposure"),
        ("FOCALLEN", focal_mm(camera.scale_arcsec, 9.0), "Focal length of telescope in mm"),
        ("OBJECT", shot.object_name, "Target object name"),
        ("TELESCOP", camera.telescope, "Telescope name"),
        ("INSTRUME", camera.name, "Detector instrument name"),
        ("SWCREATE", "MaxIm DL Version 5.24", "Name of software that created the image"),
    ]
    if shot.kind != FrameKind.LIGHT:
        return cards
    return [
        *cards,
        ("OBJCTRA", sexagesimal(shot.ra_deg / 15, " ", signed=False), "Nominal RA of center"),
        ("OBJCTDEC", sexagesimal(shot.dec_deg, " "), "Nominal Declination of center"),
        ("AIRMASS", rounded(shot.airmass), "Relative optical path length"),
    ]


def _nina(shot: Shot) -> list[Card]:
    """Write as N.I.N.A. does: local and universal time, GAIN a setting and EGAIN the gain."""
    site, camera = shot.night.site, shot.camera
    start = utc(shot.start_jd_utc)
    local = start.astimezone(timezone(timedelta(hours=zone_hours(site.longitude_deg))))
    cards = [
        ("IMAGETYP", shot.kind.upper(), "Type of exposure"),
        ("EXPOSURE", shot.exposure_s, "[s] Exposure duration"),
        ("EXPTIME", shot.exposure_s, "[s] Exposure duration"),
        ("DATE-LOC", iso(local), "Time of observation (local)"),
        ("DATE-OBS", iso(start), "Time of observation (UTC)"),
        ("XBINNING", 1, "X axis binning factor"),
        ("YBINNING", 1, "Y axis binning factor"),
        ("GAIN", 120, "Sensor gain"),
        ("OFFSET", 30, "Sensor gain offset"),
        ("EGAIN", camera.gain_e_per_adu, "[e-/ADU] Electrons per A/D unit"),
        ("XPIXSZ", 3.76, "[um] Pixel X axis size"),
        ("YPIXSZ", 3.76, "[um] Pixel Y axis size"),
        ("INSTRUME", camera.name, "Imaging instrument name"),
        ("SET-TEMP", camera.temperature_c, "[degC] CCD temperature setpoint"),
        ("CCD-TEMP", camera.temperature_c, "[degC] CCD temperature"),
        ("TELESCOP", camera.telescope, "Name of telescope"),
        ("FOCALLEN", focal_mm(camera.scale_arcsec, 3.76), "[mm] Focal length"),
        ("FILTER", shot.night.filter, "Active filter name"),
        ("SITEELEV", site.height_m, "[m] Observation site elevation"),
        ("SITELAT", site.latitude_deg, "[deg] Observation site latitude"),
        ("SITELONG", site.longitude_deg, "[deg] Observation site longitude"),
        ("ROWORDER", "TOP-DOWN", "FITS Image Orientation"),
        ("EQUINOX", 2000.0, "Equinox of celestial coordinate system"),
        ("SWCREATE", "N.I.N.A. 3.1.2.9001 (x64)", "Software that created this file"),
    ]
    if shot.kind != FrameKind.LIGHT:
        return cards
    return [
        *cards,
        ("OBJECT", shot.object_name, "Name of the object of interest"),
        ("OBJCTRA", sexagesimal(shot.ra_deg / 15, " ", signed=False), "[H M S] RA of object"),
        ("OBJCTDEC", sexagesimal(shot.dec_deg, " "), "[D M S] Declination of object"),
        ("RA", round(shot.ra_deg, 6), "[deg] RA of telescope"),
        ("DEC", round(shot.dec_deg, 6), "[deg] Declination of telescope"),
        ("AIRMASS", rounded(shot.airmass), "Airmass at frame center (Gueymard 1993)"),
    ]


def _microobservatory(shot: Shot) -> list[Card]:
    """Write as MicroObservatory does, with the clocks that contradict one another.

    As in its real frames: DATE-OBS is local with the zone as a suffix; UT-OBS is UTC; MJD-OBS is
    rounded to 0.001 d; LST-OBS was computed from the local clock as if that were UT; HA agrees
    with the true sidereal time; LONGITUD has no sign and counts to the west; the image scale is
    1 % off; temperatures are in kelvin; there is no image type, only FILTER ``Opaque``.
    """
    site, camera = shot.night.site, shot.camera
    zone = zone_hours(site.longitude_deg)
    start, end = (utc(shot.start_jd_utc + s / DAY_S) for s in (0, shot.exposure_s))
    local = [moment.astimezone(timezone(timedelta(hours=zone))) for moment in (start, end)]
    wrong_lst = sidereal_deg(shot.start_jd_utc + zone / 24, site.longitude_deg) / 15
    hour_angle = (sidereal_deg(shot.start_jd_utc, site.longitude_deg) - shot.ra_deg) % 360
    shut = shot.kind in {FrameKind.BIAS, FrameKind.DARK}
    return [
        ("EQUINOX", 2000.0, "Epoch of celestial coordinate system used"),
        ("FILENAME", shot.file, ""),
        ("DATE-OBS", f"{iso(local[0])}{zone * 100:+05d}", "Start date & time of observation, LT"),
        ("DATE-END", f"{iso(local[1])}{zone * 100:+05d}", "End date & time of observation, LT"),
        (
            "LST-OBS",
            sexagesimal(float(wrong_lst), signed=False)[:8],
            "Local mean sidereal time at start",
        ),
        ("UT-OBS", f"{iso(start)}-0000", "Universal Time at start of obs."),
        ("MJD-OBS", round(shot.start_jd_utc - MJD_ZERO, 3), "Modified Julian Date (MJD) at start"),
        ("OBJECT", shot.object_name if shot.kind == FrameKind.LIGHT else shot.kind.title(), ""),
        ("EXPTIME", shot.exposure_s, "Exposure time in Seconds"),
        ("RA", round(shot.ra_deg, 6), "Right Ascension"),
        ("HA", round(float(hour_angle), 6), "Hour Angle"),
        ("DEC", round(shot.dec_deg, 6), "Declination"),
        ("INSTRUME", "Main", "Camera selected"),
        ("FILTER", "Opaque" if shut else "Clear", "Filter chosen"),
        ("IM_SCALE", round(1.01 * camera.scale_arcsec, 3), "Image scale in arc-secs/pixel"),
        ("CAMTEMP", camera.temperature_c + 273.0, "CCD Camera Temperature in Kelvin"),
        ("TELESCOP", camera.telescope, "Telescope name"),
        ("LATITUDE", site.latitude_deg, "Local latitude"),
        ("LONGITUD", abs(site.longitude_deg), "Local longitude"),
        ("OBSERVAT", site.name, "Observatory name"),
        ("CREATOR", "MicroObservatory2014-05-23", "Version of current FITS document"),
    ]


def _lco(shot: Shot) -> list[Card]:
    """Write as Las Cumbres Observatory does: OBSTYPE, UTSTART, sexagesimal RA and DEC."""
    kind = {FrameKind.LIGHT: "EXPOSE", FrameKind.FLAT: "SKYFLAT"}.get(shot.kind, shot.kind.upper())
    start, end = (utc(shot.start_jd_utc + s / DAY_S) for s in (0, shot.exposure_s))
    site, camera = shot.night.site, shot.camera
    return [
        ("DATE-OBS", iso(start), "[UTC] Observation start date/time"),
        ("DAY-OBS", f"{start - timedelta(hours=12):%Y%m%d}", "[UTC] Date at start of local night"),
        ("UTSTART", f"{iso(start)[11:]}", "[UTC] Exposure start time"),
        ("UTSTOP", f"{iso(end)[11:]}", "[UTC] Exposure stop time"),
        ("MJD-OBS", round(shot.start_jd_utc - MJD_ZERO, 7), "[UTC days] Start of exposure"),
        ("EXPTIME", shot.exposure_s, "[s] Exposure length"),
        ("OBSTYPE", kind, "Observation type"),
        ("OBJECT", shot.object_name, "Object name"),
        ("FILTER", shot.night.filter, "Filter used"),
        ("RA", sexagesimal(shot.ra_deg / 15, signed=False), "[HH:MM:SS.sss] RA where pointing"),
        ("DEC", sexagesimal(shot.dec_deg), "[sDD:MM:SS.ss] Dec where pointing"),
        ("RADESYS", "ICRS", "Fundamental coord. system of the object"),
        ("AIRMASS", rounded(shot.airmass), "Effective mean airmass"),
        ("INSTRUME", camera.name, "Instrument used"),
        ("TELESCOP", camera.telescope, "Telescope"),
        ("GAIN", camera.gain_e_per_adu, "[electrons/count] Pixel gain"),
        ("RDNOISE", camera.read_noise_e, "[electrons/pixel] Read noise"),
        ("SATURATE", camera.full_scale_adu, "[ADU] Saturation level used"),
        ("CCDATEMP", camera.temperature_c, "[deg C] CCD actual temperature"),
        ("CCDSUM", "1 1", "CCD binning factors"),
        ("PIXSCALE", camera.scale_arcsec, "[arcsec/pixel] Nominal pixel scale on sky"),
        ("LATITUDE", site.latitude_deg, "[deg] Site latitude"),
        ("LONGITUD", site.longitude_deg, "[deg] Site longitude"),
        ("HEIGHT", site.height_m, "[m] Site height"),
        ("ORIGIN", "LCOGT", "Organization responsible for the data"),
    ]


DIALECTS: dict[str, Callable[[Shot], list[Card]]] = {
    "standard": _standard, "maxim": _maxim, "nina": _nina, "microobservatory": _microobservatory,
    "lco": _lco,
}  # fmt: skip


def make_header(shot: Shot, dialect: str) -> Header:
    """Write the header of one frame; dialect: one of `DIALECTS`."""
    from astropy.io.fits import Header

    return Header([(key, _plain(value), text) for key, value, text in DIALECTS[dialect](shot)])


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else value


def utc(jd: float) -> datetime:
    """Turn a Julian date into an aware UTC datetime, to the millisecond that headers hold."""
    epoch = datetime(2000, 1, 1, 12, tzinfo=UTC)
    return epoch + timedelta(milliseconds=round((jd - J2000_JD) * (DAY_S * 1000)))


def sexagesimal(value: float, mark: str = ":", *, signed: bool = True) -> str:
    """Write degrees or hours in base sixty, to a tenth of a second.

    mark: between the numbers; signed: put a ``+`` before positive ones.
    """
    tenths = round(abs(value) * 36000)
    whole, rest = divmod(tenths, 36000)
    sign = "-" if value < 0 else "+" if signed else ""
    return f"{sign}{whole:02d}{mark}{rest // 600:02d}{mark}{rest % 600 / 10:04.1f}"


def zone_hours(longitude_deg: float) -> int:
    """Tell the standard time zone of a longitude, degrees east: hours, positive to the east."""
    return round(((longitude_deg + 180) % 360 - 180) / 15)


def iso(moment: datetime) -> str:
    """Write a moment as FITS does, to the millisecond, without its zone."""
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def rounded(value: float) -> float | None:
    """Round for a header.

    None, which leaves the card's value blank, for NaN, which FITS does not have.
    """
    return None if np.isnan(value) else round(float(value), 5)


def focal_mm(scale_arcsec: float, pixel_um: float) -> float:
    """Tell the focal length, millimetres, that gives a scale with a pixel."""
    return round(ARCSEC_UM_PER_MM * pixel_um / scale_arcsec, 2)
