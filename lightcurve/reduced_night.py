"""All that a night's reduction made, from which its products are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lightcurve.config import Settings
from lightcurve.curve.plan import revise_plan
from lightcurve.data import CurveRecipe, FrameResult, LightCurve, Measurements, StarPlan, TransitFit
from lightcurve.frames.entries import Inventory
from lightcurve.prepare import Scene
from lightcurve.target import Target


@dataclass(frozen=True, slots=True, eq=False)
class Night:
    """All that a night's reduction made."""

    inventory: Inventory
    target: Target
    settings: Settings
    scene: Scene
    results: Sequence[FrameResult]
    measurements: Measurements
    curve: LightCurve
    fit: TransitFit | None

    @property
    def recipe(self) -> CurveRecipe:
        """How the light curve was made."""
        return self.curve.need_recipe()

    @property
    def plan(self) -> StarPlan:
        """The stars with the roles they had in the end."""
        return revise_plan(self.measurements.plan, self.recipe.roles)

    @property
    def of_frames(self) -> tuple:
        """What `lightcurve.frame_table` tells of the frames."""
        return self.inventory, self.target, self.scene, self.results

    @property
    def failed(self) -> list[FrameResult]:
        """The frames that gave no measurement, those that could not even be tried included."""
        lost = [FrameResult(e.name, "failed", e.reason, e.exposure) for e in self.inventory.lost]
        return [result for result in self.results if result.status != "measured"] + lost
