"""The light curve of a night that grows: chosen anew each time it has grown by a quarter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightcurve.core.data import Choice, LightCurve, Measurements, StarPlan, Style
from lightcurve.core.settings import Settings
from lightcurve.curve.form import Search, prepare_search
from lightcurve.curve.noise import FieldNoise, measure_field_noise, with_noise
from lightcurve.curve.retake import choice_of, retake_whole
from lightcurve.night.scene import Scene
from lightcurve.night.settle import choose_for, predicted_transit, settle_stars
from lightcurve.setup.target import Target

EXTINCTION = 0.25  # magnitudes per airmass: R and B are 0.1 off on either side, at most
# A choice costs as much as some frames do: made at such steps, by looks that have no new frame to
# show. Where every look has one, it is made when the night has grown by the second.
GROWN, GROWN_BUSY = 1.25, 1.5


class LiveCurve:
    """Forms the curve of what is measured so far; stars and aperture stay between two choices.

    So do the candidates that they were chosen from, and why others are none.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._choice: Choice | None = None
        self._plan: StarPlan | None = None
        self._search: Search | None = None
        self._noise: FieldNoise | None = None
        self._chosen_at = 0
        self._of: Scene | None = None

    def form(
        self, measurements: Measurements, scene: Scene, target: Target, *, busy: bool
    ) -> tuple[LightCurve, Measurements]:
        """Form the curve; gives the measurements it is of too.

        busy: frames are new, and somebody waits to see them. Raises FitError where the points are
        too few.
        """
        number = len(measurements.file)
        same = self._of is not None and self._of.recipe is scene.recipe
        grown = GROWN_BUSY if busy else GROWN
        due = not self._chosen_at <= number < grown * self._chosen_at
        if self._choice is None or self._plan is None or due or not same:
            return self._choose(measurements, scene, target)
        measurements = replace(measurements, plan=self._plan)
        measurements = self._with_noise(measurements, scene)
        self._search = prepare_search(
            measurements, self._settings, in_transit=predicted_transit(target, measurements),
            earlier=self._search,
        )  # fmt: skip
        return retake_whole(self._search, self._choice), measurements

    def _choose(
        self, measurements: Measurements, scene: Scene, target: Target
    ) -> tuple[LightCurve, Measurements]:
        settings, noise = self._settings, scene.camera.noise
        self._choice = self._search = None
        measurements = settle_stars(measurements, settings)
        self._plan = measurements.plan
        known = noise.gain_e_per_adu if scene.camera.gain_known else None
        if settings.apertures.style != Style.AIJ:
            self._noise = measure_field_noise(measurements, gain_e_per_adu=known, settings=settings)
        measurements = self._with_noise(measurements, scene)
        curve = choose_for(target, measurements, settings)
        self._choice = choice_of(curve, measurements, settings)
        self._chosen_at, self._of = len(measurements.file), scene
        return curve, measurements

    def _with_noise(self, measurements: Measurements, scene: Scene) -> Measurements:
        if self._settings.apertures.style == Style.AIJ:
            return measurements
        gain = scene.camera.noise.gain_e_per_adu
        return with_noise(measurements, self._noise, assumed_gain=gain, settings=self._settings)


def transparency(curve: LightCurve, measurements: Measurements) -> np.ndarray:
    """Light of the comparison stars over the most of it so far, (n,); NaN where it is not known.

    A second of exposure, and without what usual air takes away.
    """
    seconds = np.nan_to_num(measurements.exposure_s, nan=1.0)
    height = np.nan_to_num(measurements.airmass - 1)
    light = curve.comparison_flux / seconds * 10 ** (0.4 * EXTINCTION * height)
    known = light[np.isfinite(light)]
    return light / np.quantile(known, 0.9) if known.size else np.full(len(light), np.nan)
