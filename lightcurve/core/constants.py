"""Numbers that more than one part of the program stands on."""

from __future__ import annotations

from math import log, sqrt

__all__ = [
    "ARCSEC_UM_PER_MM",
    "DAY_S",
    "FWHM_PER_SIGMA",
    "J2000_JD",
    "MJD_ZERO",
    "UNIX_ZERO_JD",
    "YEAR_DAYS",
    "__version__",
]

DAY_S = 86400.0
ARCSEC_UM_PER_MM = 206.264806  # what 1 um is seen under at 1 mm of focal length
YEAR_DAYS = 365.25  # Julian
J2000_JD = 2451545.0
MJD_ZERO = 2400000.5  # JD of MJD 0
UNIX_ZERO_JD = 2440587.5  # JD of the first second of 1970
FWHM_PER_SIGMA = sqrt(8 * log(2))  # of a Gaussian
__version__ = "0.1.0"  # of the program: run folders, headers and files to submit tell it
