"""The light curve of a night that grows: chosen anew each time it has grown by a quarter."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from lightcurve.core.data import Choice, LightCurve, Measurements, StarPlan, Style
from lightcurve.core.errors import LightcurveError
from lightcurve.core.settings import Settings
from lightcurve.curve.form import Search, prepare_search
from lightcurve.curve.noise import FieldNoise, measure_field_noise, with_noise
from lightcurve.curve.retake import choice_of, retake_whole
from lightcurve.night.scene import Scene
from lightcurve.night.settle import choose_for, predicted_transit, settle_stars
from lightcurve.setup.target import Target

log = logging.getLogger(__name__)
EXTINCTION = 0.25  # magnitudes per airmass: R and B are 0.1 off on either side, at most
GROWN = 1.25  # a choice costs as much as dozens of frames do: made at such steps


class LiveCurve:
    """Forms the curve of what is measured so far; stars and aperture stay between two choices.

    So do the candidates that they were chosen from, and why others are none. The first choice is
    made where a curve is asked for, others by `renew`, when nobody waits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._choice: Choice | None = None
        self._plan: StarPlan | None = None
        self._search: Search | None = None
        self._noise: FieldNoise | None = None
        self._chosen_at = 0
        self._formed: tuple[Measurements, Scene, Target] | None = None

    def form(
        self, measurements: Measurements, scene: Scene, target: Target
    ) -> tuple[LightCurve, Measurements]:
        """Form the curve; gives the measurements it is of too.

        Raises FitError where the points are too few.
        """
        same = self._formed is not None and self._formed[1].recipe is scene.recipe
        self._formed = measurements, scene, target
        gone = len(measurements.file) < self._chosen_at
        if self._choice is None or self._plan is None or gone or not same:
            self._choice = None  # what does not hold any more is not gone back to
            return self._choose(measurements, scene, target)
        measurements = replace(measurements, plan=self._plan)
        measurements = self._with_noise(measurements, scene, self._noise)
        self._search = prepare_search(
            measurements, self._settings, in_transit=predicted_transit(target, measurements),
            earlier=self._search,
        )  # fmt: skip
        return retake_whole(self._search, self._choice), measurements

    def renew(self) -> bool:
        """Choose stars and aperture anew where the night has grown enough since; says whether.

        The curve that was formed last is not changed.
        """
        if self._choice is None or self._formed is None:
            return False
        measurements, scene, target = self._formed
        if len(measurements.file) < GROWN * self._chosen_at:
            return False
        self._chosen_at = len(measurements.file)  # not tried again with the same frames
        try:
            self._choose(measurements, scene, target)
        except LightcurveError as error:
            log.info("stars and aperture stay: %s", error)
            return False
        return True

    def _choose(
        self, measurements: Measurements, scene: Scene, target: Target
    ) -> tuple[LightCurve, Measurements]:
        settings, gain = self._settings, scene.camera.noise.gain_e_per_adu
        measurements = settle_stars(measurements, settings)
        plan, noise = measurements.plan, None
        if settings.apertures.style != Style.AIJ:
            known = gain if scene.camera.gain_known else None
            noise = measure_field_noise(measurements, gain_e_per_adu=known, settings=settings)
        measurements = self._with_noise(measurements, scene, noise)
        curve = choose_for(target, measurements, settings)
        # From here on nothing fails: what was chosen before holds until then.
        self._choice = choice_of(curve, measurements, settings)
        self._plan, self._noise, self._search = plan, noise, None
        self._chosen_at = len(measurements.file)
        return curve, measurements

    def _with_noise(
        self, measurements: Measurements, scene: Scene, noise: FieldNoise | None
    ) -> Measurements:
        if self._settings.apertures.style == Style.AIJ:
            return measurements
        gain = scene.camera.noise.gain_e_per_adu
        return with_noise(measurements, noise, assumed_gain=gain, settings=self._settings)


def transparency(curve: LightCurve, measurements: Measurements) -> np.ndarray:
    """Light of the comparison stars over the most of it so far, (n,); NaN where it is not known.

    A second of exposure, and without what usual air takes away.
    """
    seconds = np.nan_to_num(measurements.exposure_s, nan=1.0)
    height = np.nan_to_num(measurements.airmass - 1)
    light = curve.comparison_flux / seconds * 10 ** (0.4 * EXTINCTION * height)
    known = light[np.isfinite(light)]
    return light / np.quantile(known, 0.9) if known.size else np.full(len(light), np.nan)
