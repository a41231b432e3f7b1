"""The light curve of a choice that somebody made: as `choose` forms it, and nothing is searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lightcurve.core.data import Choice, LightCurve, Measurements, Style
from lightcurve.core.errors import FitError
from lightcurve.core.settings import Settings
from lightcurve.curve.aperture import list_apertures, take_aperture
from lightcurve.curve.blend import Blend
from lightcurve.curve.candidates import take_present
from lightcurve.curve.check import Pick
from lightcurve.curve.form import (
    MIN_POINTS,
    Option,
    Search,
    form_curve,
    join_option,
    prepare_search,
    sketch_curve,
)

__all__ = ["apertures_of", "choice_of", "retake", "retake_plainly"]


def apertures_of(measurements: Measurements, settings: Settings) -> list:
    """List the apertures that a night offers, in the order that `Choice.aperture` counts."""
    steady = settings.apertures.style == Style.AIJ
    return list_apertures(measurements, follow_seeing=not steady)


def choice_of(
    curve: LightCurve,
    measurements: Measurements,
    settings: Settings,
    covariates: Sequence[str] = (),
) -> Choice:
    """Tell the choice that a curve of these measurements is made by.

    Parameters
    ----------
    covariates : sequence of str
        Those of its fit.

    Raises
    ------
    InputError
        Where the curve was read from a table.
    """
    recipe = curve.need_recipe()
    aperture = apertures_of(measurements, settings).index(recipe.aperture)
    rows, names = recipe.comparison_rows, tuple(covariates)
    return Choice(rows, aperture, recipe.weighting, names, recipe.excluded)


def retake(
    measurements: Measurements,
    settings: Settings,
    choice: Choice,
    *,
    in_transit: np.ndarray | None = None,
    blend: Blend | None = None,
) -> LightCurve:
    """Form the light curve of a choice, with its recipe.

    Comparison stars that are good in no frame are left out; a check star that is among them checks
    nothing. Points of frames that the choice excludes are flagged as outliers.

    Parameters
    ----------
    measurements, settings, in_transit, blend
        As for `lightcurve.curve.choose.choose_curve`; with its own choice the curve is the same to
        the last bit. in_transit: (n_frame,) bool array.

    Raises
    ------
    FitError
        When no comparison star, or no good measurement of the target, is left.
    """
    search = prepare_search(measurements, settings, in_transit=in_transit, blend=blend)
    return form_curve(*option_of(search, choice))


def retake_plainly(search: Search, choice: Choice) -> LightCurve:
    """Form the curve of a choice without its recipe and other stars; else as `retake`."""
    search, option = option_of(search, choice)
    return sketch_curve(search, option, join_option(search, option))


def option_of(search: Search, choice: Choice) -> tuple[Search, Option]:
    """Turn a choice into what can be formed; raises FitError where it cannot.

    Returns the search too, whose check star is none of the choice.
    """
    aperture = apertures_of(search.measurements, search.settings)[choice.aperture]
    piece = take_aperture(search.measurements, aperture)
    rows = take_present(piece, np.unique(np.array(choice.rows, dtype=int)), steady=False)
    number = int(piece.good[:, 0].sum())
    if not len(rows) or number < MIN_POINTS:
        msg = (
            f"no light curve at an aperture of {aperture}: {len(rows)} of {len(choice.rows)} "
            f"comparison stars are well measured in any frame, the target in {number} of "
            f"{len(piece.good)}, and a curve needs {MIN_POINTS}"
        )
        raise FitError(msg)
    if search.candidates.check.row in choice.rows:
        taken = Pick(None, "it was taken as a comparison star")
        search = replace(search, candidates=replace(search.candidates, check=taken))
    members = tuple(rows.tolist())
    option = Option(aperture, members, choice.weighting, excluded=choice.excluded, by_hand=True)
    return search, option
