"""What a column of brightness holds: flux, magnitudes or differences; and where it holds none."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lightcurve.core.errors import InputError
from lightcurve.core.robust import robust_scatter

__all__ = ["drop_fills"]

POGSON = 0.4 * math.log(10)
# A relative flux is near 1, and counts are many; between them it may be magnitudes or a ratio.
NORMALISED, FEWEST_COUNTS = (0.9, 1.1), 50.0
FAINTEST_RATIO = 5.0  # AstroImageJ's own: the target over the sum of its comparison stars
MOST_NEGATIVE = 0.1  # of the points: light is positive, and noise as large as it shows no transit
IMPOSSIBLE = 1000.0  # times the level, 7.5 mag: no star of a night does that
# Scatter of neighbours, as a share of the light, that no star nor telescope has: a wrong unit.
COARSEST, FINEST = 0.5, 1e-5
FILL_SIGMA = 10.0
WORST_ERROR = 30.0  # times the scatter between neighbours


@dataclass(frozen=True, slots=True)
class FluxKind:
    """A way to write brightness.

    unit : of the values, in magnitudes or in shares of the star's light.
    words : in a column's name that tell it, small letters.
    """

    help: str
    unit: float
    is_magnitude: bool = False
    is_difference: bool = False
    words: frozenset[str] = frozenset()

    def flux(self, values: np.ndarray, middle: float) -> np.ndarray:
        """Turn (n,) values into flux; `middle` is the magnitude of flux 1."""
        if self.is_magnitude:
            return np.asarray(np.exp(-POGSON * self.unit * (values - middle)))
        return 1 + self.unit * values if self.is_difference else values

    def error(self, flux: np.ndarray, errors: np.ndarray) -> np.ndarray:
        """Turn the (n,) errors of values whose flux is given into those of flux."""
        return flux * POGSON * self.unit * errors if self.is_magnitude else self.unit * errors


MAGNITUDE = frozenset({"mag", "mags", "magnitude", "magnitudes", "magerr", "merr"})
FLUX_KINDS: Mapping[str, FluxKind] = {
    "flux": FluxKind("flux", 1.0),
    "mag": FluxKind("magnitudes", 1.0, is_magnitude=True, words=MAGNITUDE),
    "mmag": FluxKind("millimagnitudes", 1e-3, is_magnitude=True, words=frozenset({"mmag"})),
    "ppt": FluxKind("thousandths", 1e-3, is_difference=True, words=frozenset({"ppt"})),
    "ppm": FluxKind("millionths", 1e-6, is_difference=True, words=frozenset({"ppm"})),
}


def kind_of_flux(name: str) -> str:
    """Read from a column's name which of `FLUX_KINDS` it holds; empty where it does not tell."""
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", name)}
    for kind, known in FLUX_KINDS.items():
        if words & known.words:
            return kind
    return "mag" if any(word.endswith("mag") for word in words) else ""  # Vmag, deltamag


def drop_fills(values: np.ndarray, kind: str) -> np.ndarray:
    """Put NaN for what stands for no measurement.

    values: (n,) float array, of a kind of `FLUX_KINDS`; returned with NaN where they are none.

    These are numbers all of nines (99.999, -999), round powers of ten from 1e10 on and zeros, far
    from the rest; and what is no brightness of the same star.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return values
    middle, scatter = float(np.median(known)), robust_scatter(known)
    told = FLUX_KINDS[kind]
    with np.errstate(over="ignore", invalid="ignore"):
        far = np.abs(values - middle) > FILL_SIGMA * scatter
        fill = far & np.array([_is_fill(value) for value in values.tolist()])
        if told.is_magnitude:
            odd = np.abs(values - middle) * told.unit > 2.5 * math.log10(IMPOSSIBLE)
        elif told.is_difference:
            odd = np.abs(values) * told.unit > IMPOSSIBLE
        else:
            odd = (values > IMPOSSIBLE * middle) | (values < -middle / 2)
        if odd.sum() <= MOST_NEGATIVE * known.size:  # more of them are no exceptions
            fill |= odd
    return np.where(fill, np.nan, values)


def _is_fill(value: float) -> bool:
    if value == 0 or not math.isfinite(value):
        return True
    if abs(value) >= 1e10:
        return math.log10(abs(value)) % 1 < 1e-9
    digits = f"{abs(value):.10g}".replace(".", "")
    return len(digits) > 1 and not digits.strip("9")


def check_flux(values: np.ndarray, name: str, *, told: bool, own: bool, file: str) -> None:
    """Refuse (n,) values that need not be fluxes.

    told: the user says they are. own: by a program whose name for fluxes it is.
    Raises InputError with what to give, where many are negative, or where a ratio of two stars
    cannot be told from magnitudes.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        msg = f"no number in {name}"
        raise InputError(msg, file=file)
    middle, negative = float(np.median(known)), float(np.mean(known < 0))
    ask = f"say what it holds by --flux-kind (in Python: flux_kind=), {', '.join(FLUX_KINDS)}"
    if negative > MOST_NEGATIVE:
        msg = f"{100 * negative:.0f} % of {name} are negative: no fluxes; {ask}"
        raise InputError(msg, file=file)
    low, high = (0.0, FAINTEST_RATIO) if own else NORMALISED
    if not (told or low < middle <= high or middle >= FEWEST_COUNTS):
        msg = f"{name} is {middle:.4g} in the middle: magnitudes, a ratio of two stars or another; "
        raise InputError(msg + ask, file=file)


def to_flux(values: np.ndarray, errors: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Turn (n,) values and errors of a kind of `FLUX_KINDS` into fluxes; magnitudes about 1."""
    known = values[np.isfinite(values)]
    middle = float(np.median(known)) if known.size else 0.0
    flux = FLUX_KINDS[kind].flux(values, middle)
    return flux, FLUX_KINDS[kind].error(flux, errors)


def check_unit(flux: np.ndarray, name: str, kind: str, *, told: bool, file: str) -> None:
    """Refuse (n,) fluxes that a column's name turned from magnitudes or differences by mistake.

    told: the user says their kind.
    Raises InputError where differences are as large as the light itself, which is then what they
    are, or, unless told, where neighbours differ as in no light curve.
    """
    known = flux[np.isfinite(flux)]
    if kind == "flux" or len(known) < 3:
        return
    of, low_high = FLUX_KINDS[kind], [1 + edge for edge in NORMALISED]
    if of.is_difference and low_high[0] < np.median(known) < low_high[1]:
        whole = f"{name} is about {1 / of.unit:g}: no differences, but all light in {kind}; "
        raise InputError(whole + "--flux-kind flux reads it so", file=file)
    noise = robust_scatter(np.diff(known), about=0.0) / np.sqrt(2) / abs(float(np.median(known)))
    if not told and (noise > COARSEST or 0 < noise < FINEST):
        msg = (
            f"{name} as {of.help}: neighbours differ by {noise:.2g} of the light: of another "
            f"unit? --flux-kind says it, {', '.join(FLUX_KINDS)} (in Python: flux_kind=)"
        )
        raise InputError(msg, file=file)


def check_errors(flux: np.ndarray, error: np.ndarray, name: str, file: str) -> None:
    """Refuse errors that are not those of these fluxes: (n,) arrays of one unit.

    Raises InputError where they are thirty times the scatter between neighbours and more.
    """
    good = np.isfinite(flux) & np.isfinite(error)
    if good.sum() < 3:
        return
    noise = robust_scatter(np.diff(flux[good]), about=0.0) / np.sqrt(2)
    typical = float(np.median(np.abs(error[good])))
    if noise > 0 and typical > WORST_ERROR * noise:
        msg = (
            f"errors {name} are {typical:.3g}, and neighbours differ by {noise:.3g} only: of "
            "another unit, or no errors; --error names a column of them (in Python: error=)"
        )
        raise InputError(msg, file=file)
