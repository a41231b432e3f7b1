"""Numbers that more than one part of the program stands on."""

from __future__ import annotations

from math import log, sqrt

FWHM_PER_SIGMA = sqrt(8 * log(2))  # of a Gaussian
