"""Master frames, bad pixels and camera noise, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lightcurve.calib.bad_pixel_map import read_user_map, write_map
from lightcurve.calib.bad_pixels import (
    COLUMN_LEAST_FLAT,
    PixelNoise,
    bad_lines,
    dark_variance,
    dead_pixels,
    hot_pixels,
)
from lightcurve.calib.combine import combine
from lightcurve.calib.gain import measure_noise
from lightcurve.calib.master_files import read_masters, write_master
from lightcurve.calib.match import Group, check_masters, name_some, refuse_mixed, setup_of
from lightcurve.core.data import Exposure, FrameKind, Masters, Note, Result, Step
from lightcurve.core.errors import FrameError, InputError
from lightcurve.core.flags import PixelFlag, count_pixels
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import CalibrationSettings
from lightcurve.frames.cards import Cards
from lightcurve.frames.headers import normalise
from lightcurve.frames.kinds import kind_by_keyword
from lightcurve.frames.read import read_cards, read_frame

__all__ = ["camera_noise", "make_badpix", "make_master"]

# What each master may be made of, where the header says it at all.
SERVE_AS = {
    FrameKind.BIAS: {FrameKind.BIAS},
    FrameKind.DARK: {FrameKind.DARK, FrameKind.DARK_FLAT},
    FrameKind.FLAT: {FrameKind.FLAT},
}


def make_master(
    kind: FrameKind,
    paths: Sequence[Path],
    out: Path,
    *,
    bias: Path | None = None,
    dark: Path | None = None,
    clip_sigma: float = 5.0,
    progress: Progress = silent,
) -> dict[str, Result]:
    """Combine frames of one kind and setup, write the master, and tell what was made of what.

    Parameters
    ----------
    kind : FrameKind
        Bias, dark or flat.
    paths : sequence of Path
        Of one size; darks and flats of one exposure.
    bias, dark : Path, optional
        Masters to take off; the dark is scaled to the flats' exposure.

    Raises
    ------
    InputError
        When exposures differ or are not known where they must be.
    CalibrationError
        When frames are of several setups, or the masters to take off of another.
    FrameError
        When a frame's header says that it is of another kind.
    """
    group, settings = [(path, _exposure(kind, path)) for path in paths], CalibrationSettings()
    masters = read_masters([path for path in (bias, dark) if path is not None])
    seconds = None if kind == FrameKind.BIAS else _one_exposure(group)
    refuse_mixed(kind, group, settings)
    of = setup_of(kind, group, _off(kind, masters))
    let_through = check_masters(masters, setup_of(kind, group), settings)
    combined = combine(
        list(paths),
        subtract=_terms(masters, seconds),
        scale="median" if kind == FrameKind.FLAT else None,
        clip_sigma=clip_sigma,
        progress=progress,
    )
    image = combined.image
    if kind == FrameKind.FLAT:
        image = image / np.float32(np.nanmean(image))
    values = {} if seconds is None else {"EXPTIME": (seconds, "[s]")}
    if kind == FrameKind.DARK:
        values["BIASINC"] = (masters.bias is None, "the bias is still in this dark")
    notes = [Note(f"clipped at {clip_sigma:g} sigma"), *let_through]
    names = [path.name for path in paths]
    write_master(out, image, kind=kind, of=of, inputs=names, values=values, notes=notes)
    unit = "" if kind == FrameKind.FLAT else "ADU"
    scatter = float(np.nanmedian(combined.std))
    return {
        "master": Result(str(out), label="master"),
        "kind": Result(kind, label="kind"),
        "frames": Result(len(paths), label="frames"),
        "median": Result(float(np.nanmedian(image)), unit, "median"),
        "pixel_scatter": Result(scatter, unit, "median scatter of a pixel"),
    }


def _off(kind: FrameKind, masters: Masters) -> tuple[Step, ...]:
    """Tell what is off a master that is made with others."""
    if kind == FrameKind.FLAT:
        return Step.BIAS, Step.DARK
    return (Step.BIAS,) if kind == FrameKind.DARK and masters.bias is not None else ()


def _exposure(kind: FrameKind, path: Path) -> Exposure:
    """Read what a frame of a kind is of."""
    cards, shape, _ = read_cards(path)
    _check_kind(kind, path, cards)
    return replace(normalise(cards, path=path, shape=shape)[0], kind=kind)


def _check_kind(kind: FrameKind, path: Path, cards: Cards) -> None:
    """Refuse a frame whose header says that it was taken for something else."""
    found = kind_by_keyword(cards)
    if found is not None and found[0] not in SERVE_AS[kind]:
        msg = f"its header says {found[0]} ({found[1]}), and a {kind} frame is needed: leave it out"
        raise FrameError(path, msg)


def _one_exposure(group: Group) -> float:
    """Exposure time of all frames, seconds."""
    times: dict[float | None, list[str]] = {}
    for path, exposure in group:
        times.setdefault(exposure.exposure_s, []).append(path.name)
    seconds = next(iter(times))
    if len(times) != 1 or seconds is None:
        found = "; ".join(
            f"{f'{seconds:g} s' if seconds is not None else 'not known'} in {name_some(names)}"
            for seconds, names in times.items()
        )
        msg = f"frames of one exposure are needed, these have {found}"
        raise InputError(msg)
    return seconds


def _terms(masters: Masters, seconds: float | None) -> list[tuple[np.ndarray, float]]:
    """List what to take off each frame, with its factor."""
    terms = [] if masters.bias is None or masters.dark_includes_bias else [(masters.bias, 1.0)]
    if masters.dark is None:
        return terms
    if masters.dark_includes_bias:
        return [(masters.dark, 1.0)]
    if not masters.dark_exposure_s or seconds is None:
        msg = "the master dark cannot be scaled: its exposure or the frames' is not known"
        raise InputError(msg)
    return [*terms, (masters.dark, seconds / masters.dark_exposure_s)]


def make_badpix(
    out: Path,
    *,
    dark: Path | None = None,
    flat: Path | None = None,
    user: Path | None = None,
    hot_sigma: float = 5.0,
) -> dict[str, Result]:
    """Map bad pixels, write the map, and count those of each kind.

    Parameters
    ----------
    dark, flat : Path, optional
        Masters.
    user : Path, optional
        The user's own map.
    hot_sigma : float
        What a pixel's dark current may add to the noise of a frame, in multiples of the noise of
        one dark, for a gain of 1: the sky of light frames is not known here.

    Raises
    ------
    InputError
        When neither master is given.
    """
    given = [path for path in (dark, flat) if path is not None]
    if not given:
        msg = "give --dark or --flat: the map has their size"
        raise InputError(msg)
    masters = read_masters(given)
    images = [image for image in (masters.dark, masters.flat) if image is not None]
    if not images:
        msg = f"{given[0].name}: neither a master dark nor a master flat"
        raise InputError(msg)
    ny, nx = images[0].shape
    bad = np.zeros((ny, nx), np.uint8)
    if masters.dark is not None:
        n_darks = max(len(masters.inputs.get("dark", ())), 1)
        noise = PixelNoise(n_darks * dark_variance(masters.dark, masters.dark, 1), 1.0)
        hot = hot_pixels(masters.dark, noise, n_sigma=hot_sigma)
        hot |= bad_lines(masters.dark, least=noise.largest_excess(hot_sigma) / hot_sigma)
        bad[hot] |= np.uint8(PixelFlag.HOT)
    if masters.flat is not None:
        dead = dead_pixels(masters.flat) | bad_lines(masters.flat, least=COLUMN_LEAST_FLAT)
        bad[dead] |= np.uint8(PixelFlag.DEAD)
    if user is not None:
        bad |= read_user_map(user, (ny, nx))
    write_map(out, bad, tuple(path.name for path in given))
    counts = {name: Result(n, label=name) for name, n in count_pixels(bad).items()}
    return {"map": Result(str(out), label="map"), **counts}


def camera_noise(bias: tuple[Path, Path], flat: tuple[Path, Path]) -> dict[str, Result]:
    """Measure gain and read noise, with their errors, from two pairs of raw frames.

    Raises
    ------
    FrameError
        When a frame's header says that it is of another kind.
    """
    for kind, paths in ((FrameKind.BIAS, bias), (FrameKind.FLAT, flat)):
        for path in paths:
            _check_kind(kind, path, read_cards(path)[0])
    frames = [read_frame(path, need_time=False) for path in (*flat, *bias)]
    flat_1, flat_2, bias_1, bias_2 = (frame.pixels.astype(float) for frame in frames)
    level = frames[0].exposure.saturation_adu
    found = measure_noise((flat_1, flat_2), (bias_1, bias_2), saturation_adu=level)
    return {
        "gain_e_per_adu": Result(found.gain_e_per_adu, "e-/ADU", "gain_e_per_adu"),
        "gain_err": Result(found.gain_err, "e-/ADU", "gain_err"),
        "read_noise_e": Result(found.read_noise_e, "e-", "read_noise_e"),
        "read_noise_err": Result(found.read_noise_err, "e-", "read_noise_err"),
        "blocks": Result(found.n_blocks, label="blocks"),
    }
