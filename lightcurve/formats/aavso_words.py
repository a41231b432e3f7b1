"""The words that all files for the AAVSO share."""

from __future__ import annotations

import math
from typing import Any

from lightcurve.errors import InputError
from lightcurve.formats.submission import Detail, Submission

FILTER_CODES = {
    "Rc": "R",
    "Ic": "I",
    "up": "SU",
    "gp": "SG",
    "rp": "SR",
    "ip": "SI",
    "zp": "SZ",
    "zs": "ZS",
    "Clear": "CV",
    "C": "CV",
    "L": "CV",
    "Ha": "HA",
    "Hac": "HAC",
    "Y": "Y",
}
CODES = (
    *("U", "B", "V", "R", "I", "J", "H", "K", "CV", "CBB", "CR", "SU", "SG", "SR", "SI", "SZ"),
    *("TB", "TG", "TR", "STU", "STV", "STB", "STY", "MA", "MB", "MI", "ZS", "Y", "HA", "HAC", "O"),
)


CAMERAS = ("CCD", "CMOS", "DSLR")


def _camera(value: Any) -> str:
    camera = str(value).upper()
    if camera not in CAMERAS:
        msg = f"--camera: {value!r} is none of {', '.join(CAMERAS)}"
        raise InputError(msg)
    return camera


OBSERVER_CODE = Detail(
    "observer_code",
    "--observer-code",
    "AAVSO code of the observer.",
    "",
    panel="AAVSO",
    ask="your AAVSO observer code",
)
SECONDARY_CODES: Detail[tuple[str, ...]] = Detail(
    "secondary_codes",
    "--secondary-code",
    "Code of another observer; repeat.",
    (),
    panel="AAVSO",
    kind=list[str],
    read=tuple,
)
CAMERA = Detail(
    "camera",
    "--camera",
    "CCD, CMOS or DSLR.",
    "CCD",
    panel="AAVSO",
    ask="the kind of camera, CCD, CMOS or DSLR",
    read=_camera,
)


def filter_code(name: str) -> str:
    """Translate a filter's name into the AAVSO's code.

    name: normalised name; a code is passed on.
    """
    code = FILTER_CODES.get(name, name)
    if code not in CODES:
        msg = f'filter "{name}" has no AAVSO code; give one of {", ".join(CODES)}'
        raise InputError(msg)
    return code


def obstype(submission: Submission) -> str:
    """Name the kind of camera as the AAVSO does: a CMOS camera is a CCD."""
    camera = CAMERA.of(submission)
    return "CCD" if camera == "CMOS" else camera


def plain(text: str) -> str:
    """Make one line of ASCII, which is what the AAVSO's reader takes.

    Other characters become question marks.
    """
    return " ".join(text.encode("ascii", "replace").decode().split())


def value_and_error(value: float, error: float | None) -> tuple[str, str]:
    """Round a value to where its error has two significant digits.

    Returns value, error: where the error is not known or not positive, every digit of the value and
    an empty string.
    """
    if error is None or not (math.isfinite(error) and error > 0):
        return repr(float(value)), ""
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f}", f"{error:.{decimals}f}"
