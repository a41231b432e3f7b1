"""Master frames, bad pixels and camera noise, one at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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
from lightcurve.calib.combine import Combined
from lightcurve.calib.flats import combine_flats, normalised
from lightcurve.calib.master_files import read_masters, write_master
from lightcurve.calib.match import (
    Group,
    check_masters,
    name_some,
    refuse_mixed,
    same_exposure,
    setup_of,
)
from lightcurve.calib.stacker import Stacker
from lightcurve.calib.transfer import Transfer, measure_transfer, read_noise_adu
from lightcurve.core.data import (
    CALIBRATION,
    Exposure,
    FrameKind,
    Masters,
    Result,
    Severity,
    Step,
)
from lightcurve.core.errors import FrameError, InputError
from lightcurve.core.flags import PixelFlag, count_pixels
from lightcurve.core.progress import Progress, silent
from lightcurve.core.settings import CalibrationSettings
from lightcurve.frames.cards import Cards
from lightcurve.frames.headers import normalise
from lightcurve.frames.inventory import take_inventory
from lightcurve.frames.kinds import kind_by_keyword
from lightcurve.frames.read import read_cards, read_frame

__all__ = ["camera_noise", "make_badpix", "make_master", "sort_frames"]

ALIKE = 1.1  # exposures of flats of nearly one light, as automatic exposure gives them
CENTRE = 1024  # px on a side: enough for gain and read noise to a few thousandths
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
        Of one setup; darks of one exposure.
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
    settings = CalibrationSettings(clip_sigma=clip_sigma)
    group = [(path, _exposure(kind, path)) for path in paths]
    masters = _masters({FrameKind.BIAS: bias, FrameKind.DARK: dark})
    seconds = _one_exposure(group) if kind == FrameKind.DARK else group[0][1].exposure_s
    refuse_mixed(kind, group, settings)
    of = setup_of(kind, group, _off(kind, masters))
    let_through = check_masters(masters, setup_of(kind, group), settings)
    stacker = Stacker(settings, progress, list(let_through))
    combined = _combine(kind, group, masters, stacker)
    image = combined.image if kind != FrameKind.FLAT else normalised(combined.image, None)
    values = {} if seconds is None else {"EXPTIME": (seconds, "[s]")}
    if kind == FrameKind.DARK:
        values["BIASINC"] = (masters.bias is None, "the bias is still in this dark")
    names = stacker.inputs[kind]
    write_master(out, image, kind=kind, of=of, inputs=names, values=values, notes=stacker.notes)
    told = [note for note in stacker.notes if note.severity is Severity.WARNING]
    unit = "" if kind == FrameKind.FLAT else "ADU"
    scatter = float(np.nanmedian(combined.std))
    return {
        "master": Result(str(out), label="master"),
        "kind": Result(kind, label="kind"),
        "frames": Result(len(names), label="frames"),
        "median": Result(float(np.nanmedian(image)), unit, "median"),
        "pixel_scatter": Result(scatter, unit, "median scatter of a pixel"),
        **{f"warning_{k}": Result(str(one), label="warning") for k, one in enumerate(told, 1)},
    }


def _combine(kind: FrameKind, group: Group, masters: Masters, stacker: Stacker) -> Combined:
    """Combine frames of one kind with masters taken off."""
    if kind == FrameKind.FLAT:
        groups: dict[FrameKind, Group] = {other: [] for other in CALIBRATION} | {kind: group}
        combined = combine_flats(groups, stacker, *_floor(masters, group), group[0][1])
    elif masters.bias is None:
        combined = stacker.combined(kind, group)
    else:
        held = np.array([Step.BIAS not in exposure.done for _, exposure in group], dtype=float)
        combined = stacker.combined(kind, group, subtract=(masters.bias, held))
    if combined is None:
        msg = f"no {kind} frames to combine"
        raise InputError(msg)
    return combined


def _floor(
    masters: Masters, group: Group
) -> tuple[np.ndarray | None, np.ndarray | None, float | None]:
    """Tell what is under flats: bias, dark without it, and the exposure of the dark."""
    if masters.dark is None or not masters.dark_includes_bias:
        if masters.dark is not None and not masters.dark_exposure_s:
            msg = "the master dark cannot be scaled: its exposure is not known"
            raise InputError(msg)
        return masters.bias, masters.dark, masters.dark_exposure_s
    for path, exposure in group:
        if not same_exposure(exposure.exposure_s, masters.dark_exposure_s):
            msg = (
                f"{path.name}: the master dark has the bias in it and serves its own exposure "
                f"alone, {masters.dark_exposure_s} s: give --bias, and a dark made with it"
            )
            raise InputError(msg)
    return masters.dark, None, None


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


def _masters(given: Mapping[FrameKind, Path | None]) -> Masters:
    """Read masters, each of which has to be of the kind that it is given as."""
    paths = {kind: path for kind, path in given.items() if path is not None}
    for kind, path in paths.items():
        found = read_masters([path]).of
        if kind not in found:
            is_one = f"is a master {next(iter(found))}" if found else f"is no master {kind}"
            msg = f"{path.name}: {is_one}, and --{kind} wants a master {kind}"
            raise InputError(msg)
    return read_masters([*paths.values()])


def _one_exposure(group: Group) -> float:
    """Exposure time of all frames, seconds."""
    times = {exposure.exposure_s for _, exposure in group}
    seconds = next(iter(times))
    if len(times) != 1 or seconds is None:
        msg = f"frames of one exposure are needed, these have {_by_time(group)}"
        raise InputError(msg)
    return seconds


def _by_time(group: Group) -> str:
    """List exposure times, each with its files."""
    times: dict[float | None, list[str]] = {}
    for path, exposure in group:
        times.setdefault(exposure.exposure_s, []).append(path.name)
    return "; ".join(
        f"{f'{seconds:g} s' if seconds is not None else 'not known'} in {name_some(names)}"
        for seconds, names in times.items()
    )


def sort_frames(
    paths: Sequence[Path], progress: Progress = silent
) -> tuple[list[Path], list[Path]]:
    """Pick biases and flats out of files and folders.

    Parameters
    ----------
    paths : sequence of Path
        Of files, only what their headers call them counts.

    Raises
    ------
    FrameError
        When a file's header says neither.
    InputError
        When a folder holds no FITS file.
    """
    found: dict[FrameKind, list[Path]] = {FrameKind.BIAS: [], FrameKind.FLAT: []}
    for path in paths:
        if path.is_dir():
            inventory = take_inventory(path, progress=progress)
            for kind, some in found.items():
                some += [entry.path for entry in inventory.used(kind)]
            continue
        told = kind_by_keyword(read_cards(path)[0])
        if told is None or told[0] not in found:
            msg = (
                "its header does not say that it is a bias or a flat: give it with --bias or --flat"
            )
            raise FrameError(path, msg)
        found[told[0]].append(path)
    return found[FrameKind.BIAS], found[FrameKind.FLAT]


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
    if dark is None and flat is None:
        msg = "give a folder of frames, or masters by --dark or --flat: the map has their size"
        raise InputError(msg)
    masters = _masters({FrameKind.DARK: dark, FrameKind.FLAT: flat})
    images = [image for image in (masters.dark, masters.flat) if image is not None]
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
    write_map(out, bad, tuple(path.name for path in (dark, flat) if path))
    counts = {name: Result(n, label=name) for name, n in count_pixels(bad).items()}
    return {"map": Result(str(out), label="map"), **counts}


def camera_noise(
    bias: Sequence[Path],
    flat: Sequence[Path] = (),
    *,
    gain_e_per_adu: float | None = None,
    progress: Progress = silent,
) -> dict[str, Result]:
    """Measure gain, read noise, full well and linearity, as far as the raw frames tell.

    Parameters
    ----------
    bias : sequence of Path
        Two, by whose difference the read noise is told.
    flat : sequence of Path
        None, two of one light, or a series: two or more of each exposure.
    gain_e_per_adu : float, optional
        Turns the read noise into electrons where there are no flats.

    Returns
    -------
    dict of str to Result
        With the points of the series, and the histogram of the biases' difference.

    Raises
    ------
    FrameError
        When a frame's header says that it is of another kind.
    InputError
        When there are not two different biases, the gain is none, or flats without a second one of
        their exposure.
    CalibrationError
        When the frames are of several setups, or do not tell the gain.
    """
    if len(bias) < 2:
        msg = f"two biases are needed, {len(bias)} given"
        raise InputError(msg)
    if gain_e_per_adu is not None and not 0 < gain_e_per_adu < np.inf:
        msg = f"--gain {gain_e_per_adu:g}: electrons per ADU are more than 0"
        raise InputError(msg)
    for kind, paths in ((FrameKind.BIAS, bias), (FrameKind.FLAT, flat)):
        twice = next((one for one, n in Counter(map(Path.resolve, paths)).items() if n > 1), None)
        if twice is not None:
            msg = f"{twice.name}: given twice as a {kind}; two different frames are needed"
            raise InputError(msg)
    of_bias = [(path, _exposure(FrameKind.BIAS, path)) for path in bias]
    of_flat = [(path, _exposure(FrameKind.FLAT, path)) for path in flat]
    # Neither gain nor read noise hangs on filter or temperature.
    alike = [(path, replace(e, temperature_c=None)) for path, e in (*of_bias, *of_flat)]
    refuse_mixed(FrameKind.BIAS, alike, CalibrationSettings())
    biases = _centre(bias[0]), _centre(bias[1])
    read, read_err = read_noise_adu(biases)
    found = {"read_noise_adu": _with_error(read, read_err, "ADU", "read noise")}
    flats = _in_pairs(of_flat)
    if gain_e_per_adu is not None and not flats:
        found["read_noise_e"] = _with_error(
            read * gain_e_per_adu, read_err * gain_e_per_adu, "e-", "read noise"
        )
    if flats:
        pairs = [
            (seconds, (_centre(one), _centre(two)))
            for seconds, one, two in progress(flats, "Reading flats", len(flats))
        ]
        level = of_flat[0][1].saturation_adu
        found |= _of_flats(measure_transfer(pairs, biases, level))
    return found | _histogram(biases)


def _centre(path: Path) -> np.ndarray:
    """Read the middle of a raw frame (ny, nx), ADU: what noise is measured in."""
    pixels = read_frame(path, need_time=False).pixels
    first = [max((size - CENTRE) // 2, 0) for size in pixels.shape]
    return pixels[first[0] : first[0] + CENTRE, first[1] : first[1] + CENTRE].astype(float)


def _in_pairs(group: Group) -> list[tuple[float | None, Path, Path]]:
    """Pair flats of one exposure, or nearly so; of the filter that has most pairs."""
    filters: dict[str | None, list[tuple[float, Path]]] = {}
    for path, exposure in group:
        seconds = np.nan if exposure.exposure_s is None else exposure.exposure_s
        filters.setdefault(exposure.filter, []).append((seconds, path))
    paired = [_of_filter(sorted(flats)) for flats in filters.values()]
    pairs = max(paired, key=len, default=[])
    if group and not pairs:
        msg = f"two flats of one exposure are needed, these have {_by_time(group)}"
        raise InputError(msg)
    return pairs


def _of_filter(flats: Sequence[tuple[float, Path]]) -> list[tuple[float | None, Path, Path]]:
    """Pair flats in order of exposure, each with the next, where the two are alike enough."""
    pairs: list[tuple[float | None, Path, Path]] = []
    left = list(flats)
    while len(left) > 1:
        (first, one), (second, two) = left[:2]
        alike = np.isnan(first) or second <= ALIKE * first
        if alike:
            pairs.append((None if np.isnan(first) else (first + second) / 2, one, two))
        left = left[1 + alike :]
    return pairs


def _with_error(value: float, err: float, unit: str, label: str) -> Result:
    text = f"{value:.4g} +- {err:.2g} {unit}"
    return Result(value, unit, label, text, value - err, value + err)


def _of_flats(transfer: Transfer) -> dict[str, Result]:
    """Name what flats tell."""
    noise, points = transfer.noise, transfer.points
    well, gain = transfer.full_well_adu, noise.gain_e_per_adu
    more = "" if transfer.full_well_reached else "over "
    found = {
        "gain_e_per_adu": _with_error(gain, noise.gain_err, "e-/ADU", "gain"),
        "gain_err": Result(noise.gain_err, "e-/ADU"),
        "read_noise_e": _with_error(
            noise.read_noise_e, noise.read_noise_err, "e-", "read noise, electrons"
        ),
        "read_noise_err": Result(noise.read_noise_err, "e-"),
        "blocks": Result(noise.n_blocks, label="blocks"),
    }
    if len(points) > 1:
        found |= {
            "full_well_reached": Result(str(transfer.full_well_reached).lower()),
            "full_well_adu": Result(well, "ADU", "full well", f"{more}{well:.0f} ADU"),
            "full_well_e": Result(
                well * gain, "e-", "full well, electrons", f"{more}{well * gain:.0f} e-"
            ),
            "signal_adu": Result([point.signal_adu for point in points], "ADU"),
            "variance_adu2": Result([point.variance_adu2 for point in points], "ADU^2"),
            "exposure_s": Result([point.exposure_s or float("nan") for point in points], "s"),
        }
    if transfer.linear_to_adu is not None:
        level = transfer.linear_to_adu
        found |= {
            "linear_to_adu": Result(level, "ADU", "linear within 1 %", f"to {level:.0f} ADU"),
            "deviation_percent": Result([100 * float(d) for d in transfer.deviation], "%"),
        }
    return found


def _histogram(biases: tuple[np.ndarray, np.ndarray]) -> dict[str, Result]:
    """Count the values of the biases' difference: a Gaussian, where the camera is a good one."""
    apart = biases[0] - biases[1]
    values, counts = np.unique(np.rint(apart[np.isfinite(apart)]), return_counts=True)
    return {
        "difference_adu": Result(values.tolist(), "ADU"),
        "difference_count": Result(counts.tolist(), "px"),
    }
