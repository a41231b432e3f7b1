"""What is settled of a night before its frames are measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.core.data import Assumed, Frame, Masters, Picture, Solution
from lightcurve.night.recipe import Recipe
from lightcurve.setup.camera import CameraValues
from lightcurve.setup.target import Target


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What is settled before measuring."""

    lights: tuple[Path, ...]  # the frames to measure, in order of time
    unused: dict[Path, str]  # light frames left out, and why
    masters: Masters | None
    reference: Frame  # the calibrated frame that was solved
    solution: Solution
    recipe: Recipe
    camera: CameraValues
    values: tuple[Assumed, ...]  # every value the measuring rests on, for the user to see
    picture: Picture | None = None  # of the reference, to be looked at


def describe_blank(recipe: Recipe, reference: Path, target: Target) -> str:
    """Say that no star was detected where the target should be, what is nearest, what to check."""
    plan = recipe.plan
    x, y = float(plan.x_ref[0]), float(plan.y_ref[0])
    nearest = "no other star was detected"
    if len(plan) > 1:
        apart = np.hypot(plan.x_ref[1:] - x, plan.y_ref[1:] - y)
        k = 1 + int(np.argmin(apart))
        nearest = (
            f"the nearest, {plan.star_id[k]} at {plan.ra_deg[k]:.5f} {plan.dec_deg[k]:+.5f}, is "
            f"{apart[k - 1]:.1f} px ({apart[k - 1] * recipe.scale_arcsec:.1f} arcsec) away"
        )
    return (
        f"no star detected at {target.ra_deg:.5f} {target.dec_deg:+.5f} deg ({target.source}), "
        f"pixel {x:.1f}, {y:.1f} of {reference.name}; {nearest}: check --ra and --dec or --planet, "
        "and the epoch and proper motion of the coordinates"
    )
