"""The light curve of a choice that somebody made: as `choose` forms it, and nothing is searched."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from lightcurve.core.data import Choice, LightCurve, Measurements, Style
from lightcurve.core.errors import FitError
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import Settings
from lightcurve.curve.aperture import Slice, list_apertures, take_aperture
from lightcurve.curve.blend import Blend
from lightcurve.curve.candidates import take_present
from lightcurve.curve.check import Pick
from lightcurve.curve.form import (
    MIN_POINTS,
    Option,
    Search,
    form_curve,
    join_option,
    join_options,
    prepare_search,
    sketch_curve,
)

__all__ = ["apertures_of", "choice_of", "retake_many", "retake_plainly", "retake_whole"]

AT_ONCE = 100_000  # measurements: an array of as many stays near the processor


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
    return retake_whole(search, choice)


def retake_whole(search: Search, choice: Choice) -> LightCurve:
    """Form the light curve of a choice as `retake` does, by a search that stands ready.

    Raises FitError as it does.
    """
    return form_curve(*option_of(search, choice))


def retake_plainly(search: Search, choice: Choice) -> LightCurve:
    """Form the curve of a choice without its recipe and other stars; else as `retake`."""
    search, option = option_of(search, choice)
    return sketch_curve(search, option, join_option(search, option))


def retake_many(
    search: Search, choices: Sequence[Choice], *, progress: Progress = silent
) -> list[LightCurve | None]:
    """Form the curves of many choices as `retake_plainly` does; None where there is none.

    Choices of as many stars are worked out at once.
    """
    apertures = apertures_of(search.measurements, search.settings)
    pieces = {
        k: take_aperture(search.measurements, apertures[k])
        for k in dict.fromkeys(choice.aperture for choice in choices)
    }
    alike: dict[tuple[str, int], list[tuple[int, Option]]] = {}
    for k, choice in enumerate(choices):
        with suppress(FitError):
            _, option = option_of(search, choice, pieces[choice.aperture])
            alike.setdefault((option.weighting, len(option.members)), []).append((k, option))
    size = {key: max(1, AT_ONCE // (len(search.measurements.file) * key[1])) for key in alike}
    batches = [
        options[first : first + size[key]]
        for key, options in alike.items()
        for first in range(0, len(options), size[key])
    ]
    curves: list[LightCurve | None] = [None] * len(choices)
    for batch in progress(batches, "Forming curves"):
        joined = join_options(search, [(o, pieces[choices[k].aperture]) for k, o in batch])
        for (k, option), one in zip(batch, joined, strict=True):
            curves[k] = sketch_curve(search, option, one)
    return curves


def option_of(search: Search, choice: Choice, piece: Slice | None = None) -> tuple[Search, Option]:
    """Turn a choice into what can be formed; raises FitError where it cannot.

    piece: the cube at its aperture, where that is at hand.
    Returns the search too, whose check star is none of the choice.
    """
    aperture = apertures_of(search.measurements, search.settings)[choice.aperture]
    piece = piece or take_aperture(search.measurements, aperture)
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
