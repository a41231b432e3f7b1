"""Sky coordinates as people write them."""

from __future__ import annotations

from lightcurve.constants import DAY_S
from lightcurve.errors import InputError


def parse_coordinates(ra: str, dec: str) -> tuple[float, float]:
    """Read a right ascension and a declination.

    Parameters
    ----------
    ra, dec : str
        Sexagesimal (right ascension in hours) or decimal degrees.

    Returns
    -------
    ra_deg, dec_deg : float

    Raises
    ------
    InputError
        When either cannot be read or is out of range.
    """
    from astropy import units as u
    from astropy.coordinates import Angle

    try:
        right = Angle(ra, unit=u.hourangle if _is_sexagesimal(ra) else u.deg)
        declination = Angle(dec, unit=u.deg)
    except (ValueError, u.UnitsError) as error:
        msg = f"cannot read the coordinates {ra!r} {dec!r}: {error}"
        raise InputError(msg) from error
    if not 0 <= right.deg < 360:
        msg = f"right ascension {ra!r} is not between 0 and 360 degrees (0 and 24 hours)"
        raise InputError(msg)
    if not -90 <= declination.deg <= 90:
        msg = f"declination {dec!r} (--dec) is not between -90 and +90 degrees"
        raise InputError(msg)
    return float(right.deg), float(declination.deg)


def format_coordinates(ra_deg: float, dec_deg: float) -> str:
    """Write a place on the sky as hours and degrees, minutes, seconds: ``02:04:10.28 +46:41:16.2``.

    Parameters
    ----------
    ra_deg, dec_deg : float

    Returns
    -------
    str
    """
    from astropy import units as u
    from astropy.coordinates import Angle

    # Rounded before it is written: 24:00:00 is no right ascension.
    hours = round(ra_deg * 240, 2) % DAY_S / 3600
    ra = Angle(hours, u.hourangle).to_string(sep=":", precision=2, pad=True)
    dec = Angle(dec_deg, u.deg).to_string(sep=":", precision=1, pad=True, alwayssign=True)
    return f"{ra} {dec}"


def _is_sexagesimal(text: str) -> bool:
    return any(mark in text.strip() for mark in ": hms")
