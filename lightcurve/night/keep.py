"""What a finished run keeps of its night, so that nothing that follows needs a frame.

That is all of `Night` but for pixels: its cube of measurements as it was settled, curve and fit,
what every file came to and, where somebody tuned it, the program's own. It is read back to the
last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightcurve.core.codec import Codec, OtherLayoutError, Plain, SpoiltError
from lightcurve.core.constants import __version__
from lightcurve.core.data import LightCurve
from lightcurve.core.errors import InputError
from lightcurve.core.files import write_whole
from lightcurve.core.settings import make_settings
from lightcurve.night.reduced import KEPT, Night

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.wcs import WCS

    from lightcurve.astrometry.register import ReferencePattern

__all__ = ["read_night"]

SHOWN = 8  # runs that an error names
MAX_BYTES = 4_000_000_000
MARK = f"lightcurve night 2 {__version__}\n".encode()  # another layout has another number
NO_PIXELS = np.zeros((0, 0), dtype=np.float32)
# Arrays of measurements that have more axes than frames: stars, and radii.
AXES = dict.fromkeys(("flux", "flux_err", "area", "peak", "flags"), 3) | dict.fromkeys(
    ("x", "y", "star_sky", "star_sky_std", "n_sky", "fwhm", "x_width", "y_width", "angle_deg",
     "roundness"), 2,
)  # fmt: skip
WORDS = {"file", "star_id", "role", "reason"}


def _plain_reference(pattern: ReferencePattern) -> Any:
    stars = (pattern.x, pattern.y, pattern.flux)
    return [[values.tolist() for values in stars], list(pattern.shape), pattern.faintest]


def _reference(plain: Any) -> ReferencePattern:
    from lightcurve.astrometry.register import make_reference

    (x, y, flux), (ny, nx), faintest = plain
    return make_reference(np.array(x), np.array(y), np.array(flux), (ny, nx), faintest)


def _header(text: str) -> Header:
    from astropy.io.fits import Header

    return Header.fromstring(text)


def _wcs(text: str) -> WCS:
    from lightcurve.astrometry.wcs_cards import wcs_of

    return wcs_of(_header(text))


CODEC = Codec(
    {
        "Settings": Plain(lambda s: s.model_dump(mode="json", exclude_unset=True), make_settings),
        "WCS": Plain(lambda wcs: wcs.to_header(relax=True).tostring(), _wcs, late=True),
        "ReferencePattern": Plain(_plain_reference, _reference, late=True),
        # Neither a card of the reference nor why a file is not used is asked for again.
        "Header": Plain(lambda _: None, lambda _: _header(""), late=True),
        "HeaderError": Plain(lambda _: None, lambda _: None),
    }
)


def keep_night(folder: Path, night: Night) -> None:
    """Write what later steps need of a night; raises InputError where it cannot be written.

    folder: of the run.
    """
    pieces = chain((MARK,), CODEC.encode(_without_pixels(night)))
    write_whole(folder / KEPT, lambda file: file.writelines(pieces))


def _without_pixels(night: Night) -> Night:
    """Leave out what is of frames alone, and what the cube has."""
    scene = night.scene
    reference = replace(scene.reference, pixels=NO_PIXELS, bad=NO_PIXELS.astype(np.uint8))
    return replace(
        night,
        scene=replace(scene, masters=None, reference=reference),
        results=tuple(replace(result, photometry=None) for result in night.results),
    )


def read_night(folder: Path) -> Night:
    """Read back the night of a finished run; its reference has no pixels.

    folder: of the run. Raises InputError where it holds none, or one that is damaged, of another
    version, or not ours.
    """
    path = folder / KEPT
    if not folder.is_dir():
        msg = f"{folder}: there is no such run folder"
        raise InputError(msg)
    if not path.is_file():
        raise InputError(_why_none(folder))
    if path.stat().st_size > MAX_BYTES:
        msg = f"{path}: over {MAX_BYTES} bytes, not the night of a run"
        raise InputError(msg)
    data = path.read_bytes()
    if not data.startswith(MARK):
        msg = f"{path}: of another version of lightcurve, or not ours: run again into this folder"
        raise InputError(msg)
    try:
        night = CODEC.decode(Night, data, skip=len(MARK))
        _check_shapes(night)
    except OtherLayoutError as error:
        msg = f"{path}: of another version of lightcurve ({error}): run again into this folder"
        raise InputError(msg[:500]) from error
    except SpoiltError as error:
        msg = f"{path}: damaged ({error}): delete it and run again into this folder"
        raise InputError(msg[:500]) from error
    return night


def _why_none(folder: Path) -> str:
    """Say what to do about a folder without a night: name the runs in it, or run again."""
    inside = sorted(kept.parent.name for kept in folder.glob(f"*/{KEPT}"))
    if inside:
        shown = ", ".join(inside[:SHOWN]) + " ..." * (len(inside) > SHOWN)
        return f"{folder} holds {len(inside)} runs: name one of them: {shown}"
    return (
        f"{folder}: no {KEPT}, which a finished run leaves there: give the same `run` once more; "
        "frames that were measured are not measured again"
    )


def _check_shapes(night: Night) -> None:
    """Refuse arrays that do not fit each other, and stars that are in no plan."""
    m = night.measurements
    n, n_stars = len(m.file), len(m.plan)
    if not n or len(night.results) != len(night.scene.lights):
        msg = f"{n} frames, {len(night.results)} results of {len(night.scene.lights)}"
        raise SpoiltError(msg)
    _check_arrays(m, (n, n_stars, len(m.radii)))
    _check_arrays(m.plan, (n_stars,))
    _check_columns(m.columns, n)
    for made in (night, night.own):
        if made is not None:
            _check_curve(made.curve, n, n_stars)
            if made.fit is not None:
                _check_arrays(made.fit, (n,))


def _check_curve(curve: LightCurve, n: int, n_stars: int) -> None:
    recipe = curve.need_recipe()
    rows = (*recipe.comparison_rows, *recipe.roles, recipe.check_row or 0)
    if not all(0 <= row < n_stars for row in rows):
        msg = f"stars {sorted(rows)} of {n_stars}"
        raise SpoiltError(msg)
    _check_arrays(curve, (n,))
    _check_columns(curve.columns, n)
    _check_columns(curve.covariates, n)


def _check_columns(columns: Mapping[str, np.ndarray], n: int) -> None:
    for name, values in columns.items():
        _check_array(name, values, (n,))


def _check_arrays(value: Any, shape: tuple[int, ...]) -> None:
    """Refuse arrays of a data class that are not of as much of a shape as they have axes."""
    for field in fields(value):
        array = getattr(value, field.name)
        if isinstance(array, np.ndarray) and field.name not in {"radii", "samples"}:
            _check_array(field.name, array, shape[: AXES.get(field.name, 1)])


def _check_array(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape or (array.dtype.kind == "U") != (name in WORDS):
        msg = f"{name}: {array.dtype} {array.shape}, {shape} wanted"
        raise SpoiltError(msg)
