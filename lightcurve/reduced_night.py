"""All that a night's reduction made, from which its products are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightcurve.config import Settings
from lightcurve.curve.plan import revise_plan
from lightcurve.data import (
    CurveRecipe,
    FrameResult,
    LightCurve,
    Measurements,
    Products,
    StarPlan,
    TransitFit,
)
from lightcurve.data.curves import NOTHING_WRITTEN, plot_fitted
from lightcurve.data.tabular import Tabular
from lightcurve.frames.entries import Inventory
from lightcurve.prepare import Scene
from lightcurve.target import Target

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, eq=False)
class Night(Tabular):
    """All that a night's reduction made.

    Attributes
    ----------
    results : sequence of FrameResult
        Of all frames that were tried, in order of time.
    fit : TransitFit or None
        Where a planet is known and the fit did not fail.
    products : Products
        Empty until they are written.
    """

    inventory: Inventory
    target: Target
    settings: Settings
    scene: Scene
    results: Sequence[FrameResult]
    measurements: Measurements
    curve: LightCurve
    fit: TransitFit | None
    products: Products = NOTHING_WRITTEN

    def to_table(self) -> Table:
        """Lay the light curve out, as `LightCurve.to_table`."""
        return self.curve.to_table()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the light curve, and what was fitted to it, on axes given or new."""
        return plot_fitted(self.curve, self.fit, ax)

    @property
    def recipe(self) -> CurveRecipe:
        """How the light curve was made."""
        return self.curve.need_recipe()

    @property
    def plan(self) -> StarPlan:
        """The stars with the roles they had in the end."""
        return revise_plan(self.measurements.plan, self.recipe.roles)

    @property
    def stars(self) -> StarPlan:
        """The same, as `to_table` of it tells."""
        return self.plan

    @property
    def of_frames(self) -> tuple:
        """What `lightcurve.frame_table` tells of the frames."""
        return self.inventory, self.target, self.scene, self.results

    @property
    def failed(self) -> list[FrameResult]:
        """The frames that gave no measurement, those that could not even be tried included."""
        lost = [FrameResult(e.name, "failed", e.reason, e.exposure) for e in self.inventory.lost]
        return [result for result in self.results if result.status != "measured"] + lost
