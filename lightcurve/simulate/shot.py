"""One exposure as the acquisition software knows it, and how header texts are spelled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from lightcurve.constants import DAY_S, J2000_JD
from lightcurve.simulate.observatory import Night, SimCamera


@dataclass(frozen=True, slots=True)
class Shot:
    """One exposure as the acquisition software knows it.

    Attributes
    ----------
    kind : str
        ``"light"``, ``"bias"``, ``"dark"`` or ``"flat"``.
    ra_deg, dec_deg : float
        Where the mount believes it points.
    """

    kind: str
    file: str
    start_jd_utc: float
    exposure_s: float
    object_name: str
    ra_deg: float
    dec_deg: float
    airmass: float
    night: Night
    camera: SimCamera


def utc(jd: float) -> datetime:
    """Turn a Julian date into UTC, to the microsecond.

    With its time zone. Rounded to the millisecond that headers hold.
    """
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
    """Tell the standard time zone of a longitude.

    longitude_deg : positive to the east.
    Returns int: hours, positive to the east.
    """
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
    """Tell the focal length that gives a scale with a pixel.

    Returns float: millimetres.
    """
    return round(206.264806 * pixel_um / scale_arcsec, 2)
