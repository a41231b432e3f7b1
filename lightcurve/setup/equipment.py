"""The observer's own camera, telescope and site, read once from the headers of a night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeVar

from lightcurve.core.data import CALIBRATION, Exposure, FrameKind
from lightcurve.core.errors import InputError
from lightcurve.frames.inventory import Inventory

__all__ = ["equipment_of"]

T = TypeVar("T")
OF_CAMERA = ("gain_e_per_adu", "read_noise_e", "saturation_adu", "telescope_diameter_m")
OF_SITE = ("latitude_deg", "longitude_deg", "height_m", "name")


def equipment_of(inventory: Inventory) -> dict[str, Any]:
    """Read what the headers of a night tell of camera, telescope and site.

    Returns the settings of a user, by ``"section.name"``, with the value that most frames have;
    what no header tells, and what is a guess, is left out.

    Raises
    ------
    InputError
        When the frames are of several cameras or telescopes, or tell nothing at all.
    """
    exposures = [entry.exposure for kind in (FrameKind.LIGHT, *CALIBRATION)
                 for entry in inventory.used(kind)]  # fmt: skip
    found: dict[str, Any] = {
        "equipment.camera_name": _one(exposures, "camera", inventory),
        "equipment.telescope_name": _one(exposures, "telescope", inventory),
    }
    for name in OF_CAMERA:
        sure = [e for e in exposures if name not in e.guessed and _of_header(e, name)]
        found[f"equipment.camera.{name}"] = _commonest(getattr(e, name) for e in sure)
    site = _commonest(e.site for e in exposures)
    found |= {f"equipment.site.{name}": getattr(site, name, None) for name in OF_SITE}
    told = {name: _rounded(v) for name, v in found.items() if v not in (None, "")}
    if not told:
        msg = f"{inventory.folder}: no header names camera, telescope or site"
        raise InputError(msg)
    return told


def _rounded(value: Any) -> Any:
    """Take off what arithmetic left at the end of a number."""
    return float(f"{value:.9g}") if isinstance(value, float) else value


def _of_header(exposure: Exposure, name: str) -> bool:
    """Whether a value is the header's own: those of a profile come with the program."""
    return exposure.sources.get(name, "").startswith("header")


def _one(exposures: Iterable[Exposure], name: str, inventory: Inventory) -> str | None:
    """Take the only name there is; raises InputError where there are several."""
    names = sorted({str(value) for e in exposures if (value := getattr(e, name))})
    if len(names) > 1:
        listed = ", ".join(names[:3])
        msg = f"{inventory.folder}: frames of {len(names)} {name}s ({listed}): give a folder of one"
        raise InputError(msg)
    return names[0] if names else None


def _commonest(values: Iterable[T | None]) -> T | None:
    counts = Counter(value for value in values if value is not None)
    return counts.most_common(1)[0][0] if counts else None
