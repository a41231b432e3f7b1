"""Find by trial the rules that a table of AstroImageJ's was measured by: it does not name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from lightcurve.aij.centroid import SETTLED
from lightcurve.aij.photometry import AijRecipe, measure_aij
from lightcurve.aij.read_table import AijTable
from lightcurve.core.data import Assumed
from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.phot.centroid import STILL_PX
from lightcurve.phot.methods import CENTROIDS, STAY
from lightcurve.phot.noise import QUANTISATION_VARIANCE, NoiseModel
from lightcurve.phot.seeing import refuse_large_radii

__all__ = ["Start", "TableRules", "find_rules"]

MIN_ERRORS = 3
SKIES = ((True, False), (False, False), (False, True), (True, True))  # remove stars, plane
SAME_SKY = 1e-6


def noise_from_errors(
    error: np.ndarray, flux: np.ndarray, sky: np.ndarray, area: np.ndarray, n_sky: np.ndarray
) -> NoiseModel | None:
    """Solve the error formula for gain and read noise; None with fewer than 3, or no gain above 0.

    With ``k = n_pix (1 + n_pix / n_sky)`` the formula is linear in ``1/g`` and in the variance c
    of dark current and read noise: ``error^2 - 0.289^2 k = (F + k B) / g + k c``. Dark current and
    read noise cannot be told apart: all of c is given as read noise. Rows with NaN do not count.
    """
    use = np.isfinite(error) & (error > 0) & np.isfinite(flux) & np.isfinite(sky)
    if use.sum() < MIN_ERRORS:
        return None
    error, flux, sky, area, n_sky = (v[use] for v in (error, flux, sky, area, n_sky))
    spread = area * (1 + np.where(n_sky > 0, area / np.maximum(n_sky, 1), 0.0))
    light = np.maximum(flux, 0) + spread * np.maximum(sky, 0)
    weight = 1 / error**2
    left = np.stack([light * weight, spread * weight], axis=1)
    right = (error**2 - QUANTISATION_VARIANCE * spread) * weight
    inverse_gain, variance = np.linalg.lstsq(left, right, rcond=None)[0]
    if not inverse_gain > 0:
        return None
    gain = float(1 / inverse_gain)
    return NoiseModel(gain, gain * float(np.sqrt(max(variance, 0.0))), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """One frame and where the table has its stars.

    Attributes
    ----------
    row : int
        Of the table.
    pixels : (ny, nx) array
    x, y : (n_star,) float arrays
        0-based, bottom up.
    late_s : float
        Mid-exposure by the header minus the table's JD_UTC, seconds; NaN where one does not tell.
    """

    row: int
    pixels: np.ndarray
    x: np.ndarray
    y: np.ndarray
    late_s: float


@dataclass(frozen=True, slots=True, eq=False)
class TableRules:
    """How a table was measured.

    Attributes
    ----------
    radius, base_radius : (n_row,) float arrays
        Pixels; `base_radius` is NaN unless the aperture is variable.
    annulus : (n_row, 2) float array
    recipe : AijRecipe
        All that is the same in every row.
    values : tuple of Assumed
        What was found and how, for the user to see.
    """

    radius: np.ndarray
    base_radius: np.ndarray
    annulus: np.ndarray
    fwhm_factor: float | None
    recipe: AijRecipe
    values: tuple[Assumed, ...]

    def of_row(self, row: int) -> AijRecipe:
        """Take the recipe of one row."""
        inner, outer = self.annulus[row].tolist()
        return replace(self.recipe, radius=float(self.radius[row]), annulus=(inner, outer))

    @property
    def centred(self) -> bool:
        """Whether the table's apertures were centred."""
        return self.recipe.centroid == SETTLED


def find_rules(table: AijTable, trials: list[Start], settings: Settings) -> tuple[TableRules, str]:
    """Find radii, sky, centroid and camera of a table.

    Parameters
    ----------
    trials : list of Start
        A few of its frames, to try the rules on.
    settings : Settings
        Its camera, apertures and annulus override what the table tells.

    Returns
    -------
    rules : TableRules
        Its centroid is ``"settled"`` or ``"none"``.
    method : str
        Of the centroid, a name of `CENTROIDS`.

    Raises
    ------
    InputError
        When neither table nor settings tell radii and annulus, or such that no aperture can have.
    """
    radius, annulus, values = _radii(table, settings)
    base = table.columns.get("Source_Rad(base)", np.full(len(table), np.nan))
    _refuse_odd_radii(table, radius, annulus, base, trials)
    area = table.block("N_Src_Pixels")
    known = area[np.isfinite(area) & (area > 0)]
    exact = not (known.size and np.all(known == np.rint(known)))
    recipe = AijRecipe(1.0, None, exact=exact, centroid=STAY.name)
    factor = _constant(table, "FWHM_Mult") or None
    if factor is not None and factor < 0:
        msg = f"{table.name}: FWHM_Mult {factor:g}: an aperture cannot be that times the width"
        raise InputError(msg)
    rules = TableRules(radius, base, annulus, factor, recipe, ())
    recipe, sky = _find_sky(table, trials, rules)
    rules = replace(rules, recipe=recipe)
    method, centre = _find_centroid(trials, rules)
    recipe = replace(recipe, centroid=STAY.name if method == STAY.name else SETTLED)
    noise, camera = _find_noise(table, trials, replace(rules, recipe=recipe), settings)
    pixels = "by their area in the circle" if exact else "whole, by their centres"
    values += (
        _rule(
            "pixels", pixels, "N_Src_Pixels" if known.size else "AstroImageJ's default: not told"
        ),
        *(sky, centre, *camera),
    )
    if factor is None and np.isfinite(base).any():
        why = "radius of a radial profile; they were measured with another sky, not told"
        values += (_rule("widths", "not compared", why),)
    return replace(rules, recipe=replace(recipe, noise=noise), values=values), method


def _radii(
    table: AijTable, settings: Settings
) -> tuple[np.ndarray, np.ndarray, tuple[Assumed, ...]]:
    """Radii of every row: given, else the table's."""
    given, ring = settings.apertures.radii, settings.apertures.annulus
    columns: Mapping[str, np.ndarray] = table.columns
    n = len(table)
    absent = [] if given else [c for c in ("Source_Radius",) if c not in columns]
    absent += [] if ring else [c for c in ("Sky_Rad(min)", "Sky_Rad(max)") if c not in columns]
    if absent:
        msg = f"{table.name}: no column {' nor '.join(absent)}: give --radius and --annulus"
        raise InputError(msg)
    radius = np.full(n, given[0]) if given else columns["Source_Radius"]
    annulus = (
        np.tile(ring, (n, 1))
        if ring
        else np.stack([columns["Sky_Rad(min)"], columns["Sky_Rad(max)"]], axis=1)
    )
    inner, outer = annulus.T
    of_radius = "option --radius" if given else "Source_Radius"
    of_sky = "option --annulus" if ring else "Sky_Rad"
    return (
        radius,
        annulus,
        (
            Assumed("radius", _ends(radius), "px", of_radius, f"{_span(radius)} px"),
            Assumed(
                "sky",
                _ends(inner) + _ends(outer),
                "px",
                of_sky,
                f"{_span(inner)} to {_span(outer)} px",
            ),
        ),
    )


def _refuse_odd_radii(
    table: AijTable, radius: np.ndarray, annulus: np.ndarray, base: np.ndarray, trials: list[Start]
) -> None:
    """Refuse radii that are none, or larger than the frames."""
    limit = max(trials[0].pixels.shape)
    inner, outer = annulus.T
    sound = (radius > 0) & (radius <= limit) & (inner >= 0) & (inner < outer) & (outer <= limit)
    if np.isfinite(base).any():
        sound &= (base > 0) & (base <= limit)
    if not sound.all():
        row = int(np.flatnonzero(~sound)[0])
        msg = (
            f"{table.name}: row {row + 1} has a radius of {radius[row]:g} px (base radius "
            f"{base[row]:g}) and a sky from {inner[row]:g} to {outer[row]:g} px: give --radius and "
            "--annulus"
        )
        raise InputError(msg)
    largest = max(radius.max(), np.nanmax(base, initial=0.0))
    refuse_large_radii(float(largest), (0.0, float(outer.max())), trials[0].pixels.shape)


def _rule(name: str, words: str, source: str) -> Assumed:
    return Assumed(name, words, "", source, words)


def _ends(values: np.ndarray) -> tuple[float, ...]:
    """Give the lowest and the highest."""
    return float(values.min()), float(values.max())


def _span(values: np.ndarray) -> str:
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:.3f}-{high:.3f}"


def _constant(table: AijTable, column: str) -> float | None:
    values = table.columns.get(column, np.empty(0))
    known = values[np.isfinite(values)]
    return float(known[0]) if known.size and np.all(known == known[0]) else None


def _find_sky(table: AijTable, trials: list[Start], rules: TableRules) -> tuple[AijRecipe, Assumed]:
    """Choose the sky's rule whose pixel counts and levels come nearest to the table's."""
    scores = []
    for remove, plane in SKIES:
        recipe = replace(rules.recipe, remove_stars=remove, plane=plane)
        worst = np.zeros(2)
        for start in trials:
            own = replace(rules, recipe=recipe).of_row(start.row)
            found = measure_aij(start.pixels, start.x, start.y, own)
            pairs = ((found.n_sky, "N_Sky_Pixels"), (found.sky, "Sky/Pixel"))
            for k, (ours, column) in enumerate(pairs):
                theirs = table.block(column)[start.row]
                off = np.abs(ours - theirs) / np.maximum(np.abs(ours), 1)
                worst[k] = max(worst[k], np.max(off[np.isfinite(off)], initial=0.0))
        scores.append(worst)
    # Pixel counts tell star removal apart, levels the plane; rounding is no reason to choose.
    best = min(range(len(SKIES)), key=lambda k: (round(scores[k][0], 6), round(scores[k][1], 9), k))
    remove, plane = SKIES[best]
    text = f"{'plane' if plane else 'mean'}, stars {'removed' if remove else 'left in'}"
    if not np.isfinite(table.block("Sky/Pixel")).any():
        source = "AstroImageJ's default: the table has no Sky/Pixel"
    elif scores[best][1] < SAME_SKY:
        source = f"found by trial: Sky/Pixel to {scores[best][1]:.1g}"
    else:
        source = (
            f"NO RULE GIVES ITS SKY: this one comes nearest, to {scores[best][1]:.2g}. Frames that "
            "were changed, or a plane with stars removed, which AstroImageJ gets wrong"
        )
    return replace(rules.recipe, remove_stars=remove, plane=plane), _rule("sky level", text, source)


def _find_centroid(trials: list[Start], rules: TableRules) -> tuple[str, Assumed]:
    """Choose the centroid that leaves the table's positions where they are."""
    moves = {}
    for method in (one.name for one in CENTROIDS if one.step is not None):
        steps = []
        for start in trials:
            own = replace(rules.of_row(start.row), centroid=method)
            found = measure_aij(start.pixels, start.x, start.y, own)
            shift = np.maximum(np.abs(found.x - start.x), np.abs(found.y - start.y))
            there = np.isfinite(start.x) & np.isfinite(start.y)
            steps.append(np.where(found.found, shift, np.inf)[there])
        moves[method] = float(np.median(np.concatenate(steps)))
    method = min(moves, key=moves.__getitem__)
    if moves[method] < STILL_PX:
        source = f"found by trial: it moves the apertures by {moves[method]:.1g} px (median)"
        return method, _rule("centroid", method, source)
    source = f"found by trial: the best centroid moves the apertures by {moves[method]:.2g} px"
    return STAY.name, _rule("centroid", STAY.name, source)


def _find_noise(
    table: AijTable, trials: list[Start], rules: TableRules, settings: Settings
) -> tuple[NoiseModel, tuple[Assumed, ...]]:
    """Take the camera as given, else as the table's errors have it."""
    camera = settings.camera
    if camera.gain_e_per_adu is None and camera.read_noise_e is not None:
        msg = "--read-noise without --gain: give both, or neither to take them from Source_Error"
        raise InputError(msg)
    if camera.gain_e_per_adu is not None:
        exposure = _constant(table, "EXPTIME") or 0.0
        dark = camera.dark_current_e_per_s * exposure
        noise = NoiseModel(camera.gain_e_per_adu, camera.read_noise_e or 0.0, dark)
        return noise, _camera_values(noise, "settings")
    found = [
        measure_aij(start.pixels, start.x, start.y, rules.of_row(start.row)) for start in trials
    ]
    error = np.concatenate([table.block("Source_Error")[start.row] for start in trials])
    parts = (
        np.concatenate([getattr(f, name) for f in found])
        for name in ("flux", "sky", "area", "n_sky")
    )
    solved = noise_from_errors(error, *parts)
    if solved is None:
        return NoiseModel(), _camera_values(NoiseModel(), "AstroImageJ's default: not told")
    return solved, _camera_values(solved, "solved from Source_Error; any dark current is in it")


def _camera_values(noise: NoiseModel, source: str) -> tuple[Assumed, ...]:
    dark = f" and {noise.dark_e:g} e- of dark" if noise.dark_e else ""
    return (
        Assumed(
            "gain", noise.gain_e_per_adu, "e-/ADU", source, f"{noise.gain_e_per_adu:.6g} e-/ADU"
        ),
        Assumed(
            "read noise", noise.read_noise_e, "e-", source, f"{noise.read_noise_e:.6g} e-{dark}"
        ),
    )
