"""The values that flow through the program: frozen, plain, without I/O.

Conventions, everywhere: pixel coordinates are 0-based and the centre of the first pixel is
(0, 0); images are indexed ``[y, x]``; sky coordinates are ICRS degrees; counts are ADU; times are
Julian dates; a value that is not known is ``None`` (scalars) or NaN (arrays). Arrays are never
changed in place once they stand in one of these.
"""

from __future__ import annotations

from lightcurve.core.data.curves import (
    Aperture,
    ApertureKind,
    Criterion,
    CurveRecipe,
    CurveSource,
    Influence,
    LightCurve,
    Motion,
    Parameter,
    Planet,
    Products,
    TransitFit,
)
from lightcurve.core.data.frames import (
    CALIBRATION,
    Colour,
    DateOrder,
    Exposure,
    Frame,
    FrameKind,
    FrameStatus,
    Masters,
    Overhead,
    Quality,
    RawFrame,
    Site,
    Stamp,
    Step,
    Style,
)
from lightcurve.core.data.stars import (
    Detections,
    FrameResult,
    Measurements,
    Registration,
    Solution,
    StarPhotometry,
    StarPlan,
    StarRole,
)
from lightcurve.core.data.verdicts import (
    About,
    Assumed,
    Finding,
    Note,
    Result,
    Severity,
    Verdict,
    label_results,
)

__all__ = [
    "CALIBRATION",
    "About",
    "Aperture",
    "ApertureKind",
    "Assumed",
    "Colour",
    "Criterion",
    "CurveRecipe",
    "CurveSource",
    "DateOrder",
    "Detections",
    "Exposure",
    "Finding",
    "Frame",
    "FrameKind",
    "FrameResult",
    "FrameStatus",
    "Influence",
    "LightCurve",
    "Masters",
    "Measurements",
    "Motion",
    "Note",
    "Overhead",
    "Parameter",
    "Planet",
    "Products",
    "Quality",
    "RawFrame",
    "Registration",
    "Result",
    "Severity",
    "Site",
    "Solution",
    "Stamp",
    "StarPhotometry",
    "StarPlan",
    "StarRole",
    "Step",
    "Style",
    "TransitFit",
    "Verdict",
    "label_results",
]
