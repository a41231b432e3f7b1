"""Master bias, dark and flat for the light frames of one setup."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from lightcurve.calib.bad_pixel_map import read_user_map
from lightcurve.calib.bad_pixels import (
    COLUMN_LEAST_FLAT,
    PixelNoise,
    bad_lines,
    dark_variance,
    dead_pixels,
    hot_pixels,
    tile_median,
)
from lightcurve.calib.combine import Combined, Subtract, combine, open_rows, read_rows
from lightcurve.calib.gain import CameraNoise, measure_noise
from lightcurve.calib.match import Group, by_exposure, choose_frames, same_exposure, setup_of
from lightcurve.calib.sky_noise import contradiction, sky_of_pair
from lightcurve.calib.warm import Warm, share_of_dark, warm_of_lights
from lightcurve.core.data import Exposure, FrameKind, Masters, Note, Severity, Step
from lightcurve.core.errors import CalibrationError, FrameError
from lightcurve.core.flags import PixelFlag, count_pixels
from lightcurve.core.progress import Progress
from lightcurve.core.settings import CalibrationSettings

NOISE_ROWS = 512
LEVEL_ROWS = 32  # whose median tells a level
MANY_BAD = 0.05
LEAST_EXCESS = 10.0  # noise of one dark: of pixels that tell how warm the sensor was
CERTAIN = 5.0  # noise of the mean: of pixels that are warm
NEAR_SATURATION = 0.85
LARGEST_ERROR = 0.3  # of a gain that says something


def build_masters(
    light: Exposure,
    bias: Group,
    dark: Group,
    flat: Group,
    dark_flat: Group,
    *,
    settings: CalibrationSettings,
    light_frames: Sequence[Path] = (),
    tell_warm: bool = True,
    progress: Progress | None = None,
) -> Masters:
    """Combine the calibration frames that suit a light frame.

    Bias is the clipped mean. A dark has the bias taken off, so that it can be scaled by exposure;
    without bias frames it serves its own exposure only. Flats have the dark flat of their exposure
    taken off (or bias and scaled dark), are divided by their medians, combined, and normalised to
    mean 1 over good pixels.

    Parameters
    ----------
    light : Exposure
        Of a light frame: size, binning, filter, camera, gain, temperature and exposure to match.
    bias, dark, flat, dark_flat : sequence of (Path, Exposure)
        Any may be empty.
    light_frames : sequence of Path
        In order of time. The first that can be read shows how bright the sky is, against whose
        noise warm pixels are judged; without any, the noise of the darks alone counts.
    tell_warm : bool
        Ask the light frames how warm pixels are: scale darks of another temperature to them, and
        without darks find those that there are.

    Raises
    ------
    CalibrationError
        When frames do not fit the light frame or one another.
    FrameError
        When a file cannot be read.
    """
    given = {
        FrameKind.BIAS: bias,
        FrameKind.DARK: dark,
        FrameKind.FLAT: flat,
        FrameKind.DARK_FLAT: dark_flat,
    }
    groups: dict[FrameKind, Group] = {}
    notes: list[Note] = []
    for kind, group in given.items():
        groups[kind], found = choose_frames(kind, group, light, settings)
        notes += found
    stacker = _Stacker(settings, progress, notes, light.saturation_adu)
    master_bias = stacker.mean(FrameKind.BIAS, groups[FrameKind.BIAS])
    has_bias = master_bias is not None
    seconds, darks = _choose_dark(groups[FrameKind.DARK], light, settings, notes, has_bias=has_bias)
    with_bias = _with_bias(darks, master_bias, notes)
    combined_dark = stacker.combined(
        FrameKind.DARK, darks, subtract=None if master_bias is None else (master_bias, with_bias)
    )
    master_dark = None if combined_dark is None else combined_dark.image
    biased_dark = master_dark is not None and not has_bias and bool(with_bias.any())
    floor = master_dark if biased_dark else master_bias
    _refuse_calibrated(light, light_frames, floor, settings, notes)
    terms = _flat_terms(
        groups, stacker, master_bias, None if biased_dark else master_dark, dark_seconds=seconds
    )
    master_flat = stacker.mean(
        FrameKind.FLAT, groups[FrameKind.FLAT], subtract=terms, scale="median"
    )
    noise = _noise(groups, light, light_frames, notes)
    hot = dead = None
    tell_warm = tell_warm and Step.DARK not in light.done  # nothing is taken off such frames
    if combined_dark is not None:
        scale = light.exposure_s / seconds if seconds and light.exposure_s and has_bias else 1.0
        if tell_warm:
            combined_dark = _as_warm_as_lights(combined_dark, light_frames, scale, stacker)
            master_dark = combined_dark.image
        pixel = _pixel_noise(combined_dark, master_bias, light_frames, _gain(light, noise), scale)
        n_sigma = settings.hot_pixel_sigma
        hot = _hot_pixels(combined_dark, master_bias, pixel, n_sigma, light.saturation_adu)
    elif warm := warm_of_lights(light_frames if tell_warm else (), light.shape):
        seconds = light.exposure_s
        if warm.excess.any():
            master_dark = warm.excess
            stacker.inputs[FrameKind.DARK] = warm.names
            text = (
                f"none; {np.count_nonzero(master_dark)} warm pixels, which stand out in each of "
                f"{len(warm.names)} light frames, are taken off instead"
            )
            stacker.note(text, FrameKind.DARK)
        hot, dead = _bad_of_lights(
            warm, master_bias, master_flat, _gain(light, noise), settings.hot_pixel_sigma
        )
    bad = _bad_pixels(hot, dead, master_flat, light.shape, settings, notes)
    return Masters(
        bias=master_bias,
        dark=master_dark,
        dark_exposure_s=None if seconds is None else _as_written(seconds),
        dark_includes_bias=biased_dark,
        flat=None if master_flat is None else _normalised(master_flat, bad),
        bad=bad,
        gain_e_per_adu=_as_written(noise.gain_e_per_adu) if noise else None,
        read_noise_e=_as_written(noise.read_noise_e) if noise else None,
        notes=tuple(notes),
        inputs=stacker.inputs,
        of=_setups(stacker.groups, biased_dark=biased_dark),
    )


def _setups(groups: dict[FrameKind, Group], *, biased_dark: bool) -> dict[str, Exposure]:
    """Tell what each master is of, and what is off it."""
    off: dict[FrameKind, tuple[Step, ...]] = {
        FrameKind.BIAS: (),
        FrameKind.DARK: () if biased_dark else (Step.BIAS,),
        FrameKind.FLAT: (Step.BIAS, Step.DARK),
    }
    return {kind: setup_of(kind, group, off[kind]) for kind, group in groups.items() if kind in off}


def _as_written(value: float) -> float:
    """Round to what a header card holds, so that masters read back give the same numbers."""
    return float(f"{value:.10g}")


class _Stacker:
    """Combines groups by one rule and keeps account of what went in."""

    def __init__(
        self,
        settings: CalibrationSettings,
        progress: Progress | None,
        notes: list[Note],
        saturation: float | None,
    ) -> None:
        self._settings, self._progress, self._notes = settings, progress, notes
        self._saturation = saturation
        self.inputs: dict[str, tuple[str, ...]] = {}
        self.groups: dict[FrameKind, Group] = {}

    def note(self, text: str, kind: FrameKind, severity: Severity = Severity.INFO) -> None:
        """Keep a remark on a kind of frame for the user."""
        self._notes.append(Note(f"{kind}: {text}", severity, subject=kind))

    def mean(
        self,
        kind: FrameKind,
        group: Group,
        *,
        subtract: Subtract | list | None = None,
        scale: Literal["median"] | None = None,
    ) -> np.ndarray | None:
        """Clipped mean of a group; None when it is empty."""
        combined = self.combined(kind, group, subtract=subtract, scale=scale)
        return None if combined is None else combined.image

    def combined(
        self,
        kind: FrameKind,
        group: Group,
        *,
        subtract: Subtract | list | None = None,
        scale: Literal["median"] | None = None,
    ) -> Combined | None:
        """Clipped mean of a group with its scatter; None when it is empty."""
        if not group:
            return None
        combined = combine(
            [path for path, _ in group],
            scale=scale,
            subtract=subtract,
            clip_sigma=self._settings.clip_sigma,
            memory_mb=self._settings.memory_mb,
            progress=self._progress,
        )
        self._warn_of_saturation(kind, combined)
        self.inputs[kind] = (*self.inputs.get(kind, ()), *(path.name for path, _ in group))
        self.groups[kind] = group
        times = sorted({e.exposure_s for _, e in group if e.exposure_s is not None})
        span = f" of {' and '.join(f'{t:g}' for t in times[:3])} s" if any(times) else ""
        clipped = f"clipped at {self._settings.clip_sigma:g} sigma"
        self.note(f"mean of {len(group)} frames{span}, {clipped}", kind)
        return combined

    def _warn_of_saturation(self, kind: FrameKind, combined: Combined) -> None:
        if self._saturation is None or not combined.levels.size:
            return
        bright = combined.levels > NEAR_SATURATION * self._saturation
        if bright.any():
            names = ", ".join(p.name for p, b in zip(combined.paths, bright, strict=True) if b)
            text = (
                f"{bright.sum()} of {bright.size} frames are exposed to over "
                f"{NEAR_SATURATION:.0%} of saturation ({self._saturation:g} ADU): {names[:200]}"
            )
            self.note(text, kind, Severity.WARNING)


def _with_bias(darks: Group, bias: np.ndarray | None, notes: list[Note]) -> np.ndarray:
    """Tell which darks have the bias in them: 1, or 0 where a program took it off; (n,) floats.

    A header may say so; else a level below half of the bias does.
    """
    held = np.array([Step.BIAS not in exposure.done for _, exposure in darks], dtype=float)
    if bias is None or not held.any():
        return held
    level = float(np.nanmedian(bias))
    for k, (path, _) in enumerate(darks):
        dark = _level(path) if held[k] else level
        if dark < level / 2:
            held[k] = 0
            text = f"dark: {path.name} has a level of {dark:.0f} ADU, the bias {level:.0f}"
            off = f"{text}: its bias is off already, not taken off again"
            notes.append(Note(off, Severity.WARNING, subject=FrameKind.DARK))
    return held


def _refuse_calibrated(
    light: Exposure,
    paths: Sequence[Path],
    floor: np.ndarray | None,
    settings: CalibrationSettings,
    notes: list[Note],
) -> None:
    """Refuse light frames whose level is below half of the bias that would be taken off them.

    floor: (ny, nx) bias, or dark with the bias in it, ADU. No light frame as the camera gave it is
    so low: one that is has been calibrated, whatever its header does not say.
    """
    if floor is None or not paths or Step.BIAS in light.done:
        return
    try:
        level, bias = _level(paths[0]), float(np.nanmedian(floor))
    except FrameError:
        return  # its turn to be told of comes when it is measured
    if level >= bias / 2:
        return
    text = (
        f"{paths[0].name} has a level of {level:.0f} ADU, the bias {bias:.0f}: is it calibrated "
        "already?"
    )
    if not settings.allow_mismatch:
        msg = f"{text} Leave the calibration frames out, or give --allow-mismatch"
        raise CalibrationError(msg)
    notes.append(Note(text, Severity.WARNING))


def _choose_dark(
    group: Group,
    light: Exposure,
    settings: CalibrationSettings,
    notes: list[Note],
    *,
    has_bias: bool,
) -> tuple[float | None, Group]:
    """Choose darks of one exposure: the light's own, or with a bias the longest."""
    if not group:
        return None, []
    groups = by_exposure(group)
    for seconds, members in groups.items():
        if same_exposure(seconds, light.exposure_s):
            return seconds, members
    known = [seconds for seconds in groups if seconds]
    seen = ", ".join(f"{s:g} s" for s in sorted(known)) or "of unknown exposure"
    wanted = f"{light.exposure_s:g} s" if light.exposure_s is not None else "of unknown exposure"
    if has_bias and known:
        text = f"dark: {max(known):g} s, scaled to the light frames ({wanted})"
        notes.append(Note(text, subject=FrameKind.DARK))
        return max(known), groups[max(known)]
    problem = f"dark: frames are {seen}, the light frames {wanted}"
    if not settings.allow_mismatch:
        msg = (
            f"{problem}, and without bias frames a dark cannot be scaled; add bias frames or "
            "darks of that exposure, leave the darks out, or give --allow-mismatch"
        )
        raise CalibrationError(msg)
    nearest = min(known, key=lambda s: abs(s - (light.exposure_s or 0)), default=None)
    notes.append(
        Note(f"{problem}; subtracted as they are", Severity.WARNING, subject=FrameKind.DARK)
    )
    return None, groups[nearest]


def _flat_terms(
    groups: dict[FrameKind, Group],
    stacker: _Stacker,
    bias: np.ndarray | None,
    dark: np.ndarray | None,
    *,
    dark_seconds: float | None,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """List what to take off each flat: the dark flat of its exposure, else bias and scaled dark."""
    flats = groups[FrameKind.FLAT]
    if not flats:
        if groups[FrameKind.DARK_FLAT]:
            stacker.note(
                f"{len(groups[FrameKind.DARK_FLAT])} frames left out: no flats", FrameKind.DARK_FLAT
            )
        return []
    terms: list[tuple[np.ndarray, np.ndarray]] = []
    rest = np.array([Step.DARK not in exposure.done for _, exposure in flats], dtype=float)
    held = np.array([Step.BIAS not in exposure.done for _, exposure in flats], dtype=float)
    seconds = [exposure.exposure_s for _, exposure in flats]
    for own, members in by_exposure(groups[FrameKind.DARK_FLAT]).items():
        matched = np.array([same_exposure(own, t) for t in seconds], dtype=float)
        if matched.any():
            mean = stacker.mean(FrameKind.DARK_FLAT, members)
            if mean is not None:
                terms.append((mean, matched * rest))
            rest[matched > 0] = 0
            held[matched > 0] = 0
        else:
            text = f"{len(members)} frames left out: no flat has their exposure"
            stacker.note(text, FrameKind.DARK_FLAT)
    if not rest.any():
        return terms
    if bias is None:
        text = "neither bias nor dark flats, the pedestal stays in the flat"
        stacker.note(text, FrameKind.FLAT, Severity.WARNING)
        return terms
    terms.append((bias, held))
    if dark is not None and dark_seconds and None not in seconds:
        terms.append((dark, rest * np.array(seconds) / dark_seconds))
    return terms


def _gain(light: Exposure, noise: CameraNoise | None) -> float:
    """Electrons per ADU: of header or settings, else of pairs, else 1, as everywhere."""
    if light.gain_e_per_adu is not None and "gain_e_per_adu" not in light.guessed:
        return light.gain_e_per_adu
    return noise.gain_e_per_adu if noise else light.gain_e_per_adu or 1.0


def _pixel_noise(
    dark: Combined, bias: np.ndarray | None, paths: Sequence[Path], gain: float, scale: float
) -> PixelNoise:
    """Noise of a usual pixel of a light frame: of the darks, and of the sky of one that is read."""
    sky = _sky_level(paths, dark.image, bias, scale)
    return PixelNoise(
        dark_variance(dark.image, dark.std, len(dark.paths)) + sky / gain, gain, scale
    )


def _sky_level(
    paths: Sequence[Path], dark: np.ndarray, bias: np.ndarray | None, scale: float
) -> float:
    """Median of the first light frame that can be read above bias and dark, ADU; 0 without one."""
    for path in paths:
        try:
            with tempfile.TemporaryDirectory(prefix="lightcurve-") as spill:
                source = open_rows(path, Path(spill))
                rows = slice(*_middle_rows(source.shape[0]))
                pixels = read_rows(source, rows.start, rows.stop)
        except FrameError:
            continue  # its turn to be told of comes when it is measured
        if source.shape == dark.shape:
            below = dark[rows] * scale + (0 if bias is None else bias[rows])
            level = float(np.nanmedian(pixels - below))
            return max(level, 0.0) if np.isfinite(level) else 0.0
    return 0.0


def _hot_pixels(
    dark: Combined,
    bias: np.ndarray | None,
    noise: PixelNoise,
    n_sigma: float,
    saturation_adu: float | None,
) -> np.ndarray:
    """Find what the darks mark as bad: single pixels, columns, what is full or without a value."""
    level = dark.image if bias is None else dark.image + bias
    hot = hot_pixels(level, noise, n_sigma=n_sigma, among=dark)
    # Of an aperture's n_sigma^2 pixels, a column crosses n_sigma.
    hot |= bad_lines(level, least=noise.largest_excess(n_sigma) / n_sigma)
    if saturation_adu is not None:
        hot |= level > NEAR_SATURATION * saturation_adu
    return hot | ~np.isfinite(level)


def _bad_of_lights(
    warm: Warm, bias: np.ndarray | None, flat: np.ndarray | None, gain: float, n_sigma: float
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Find what light frames alone mark as hot, and as dead; None where there is nothing.

    By the rules of darks: what is left after the excess is taken off is its shot noise; a column
    or row, nothing of which is taken off, adds as much as the noise of an aperture that it crosses.
    """
    noise = PixelNoise(warm.sigma**2, gain)
    hot = warm.bad | (warm.excess > noise.largest_excess(n_sigma))
    level, lacking = warm.lowest, warm.lacking
    if bias is not None:
        level = level - (bias - np.nanmedian(bias))
        lacking = lacking + (bias - tile_median(bias))
    hot |= bad_lines(level, least=warm.sigma)
    dead = lacking > n_sigma * warm.sigma if flat is None else np.zeros(hot.shape, bool)
    return (hot, dead) if hot.any() or dead.any() else (None, None)


def _as_warm_as_lights(
    dark: Combined, paths: Sequence[Path], scale: float, stacker: _Stacker
) -> Combined:
    """Scale the warm pixels of a dark to what the light frames have of them.

    Darks of another temperature, or of a sensor that warmed in the night, leave holes or remnants.
    """
    noise = np.sqrt(dark_variance(dark.image, dark.std, len(dark.paths)))
    excess = dark.image - tile_median(dark.image)
    share = share_of_dark(paths, excess * scale, LEAST_EXCESS * noise * scale)
    if share is None or not share.differs:
        return dark
    stacker.note(
        f"{share.n_pixels} warm pixels have {share.value:.2f} +- {share.err:.2f} of its current in "
        f"{share.n_frames} light frames (another temperature?): scaled to that",
        FrameKind.DARK,
        Severity.WARNING,
    )
    sure = excess > CERTAIN * noise / np.sqrt(len(dark.paths))
    image = dark.image + np.where(sure, (share.value - 1) * excess, 0)
    return replace(dark, image=image.astype(np.float32))


def _bad_pixels(
    hot: np.ndarray | None,
    dead: np.ndarray | None,
    flat: np.ndarray | None,
    shape: tuple[int, int],
    settings: CalibrationSettings,
    notes: list[Note],
) -> np.ndarray | None:
    """Bad-pixel bits from whatever there is; None when there is nothing to tell from."""
    if hot is None and flat is None and settings.bad_pixel_map is None:
        return None
    shape = next((image.shape for image in (hot, flat) if image is not None), shape)
    bad = np.zeros(shape, np.uint8)
    if hot is not None:
        bad[hot] |= np.uint8(PixelFlag.HOT)
    if dead is not None:
        bad[dead] |= np.uint8(PixelFlag.DEAD)
    if flat is not None:
        bad[dead_pixels(flat)] |= np.uint8(PixelFlag.DEAD)
        level = COLUMN_LEAST_FLAT * float(np.nanmedian(flat))
        bad[bad_lines(flat, least=level)] |= np.uint8(PixelFlag.DEAD)
    if settings.bad_pixel_map is not None:
        bad |= read_user_map(settings.bad_pixel_map, shape)
    told = ", ".join(f"{count} {name}" for name, count in count_pixels(bad).items()) or "none"
    many = np.count_nonzero(bad) > MANY_BAD * bad.size
    severity = Severity.WARNING if many else Severity.INFO
    notes.append(Note(f"bad pixels: {told}", severity))
    return bad


def _normalised(flat: np.ndarray, bad: np.ndarray | None) -> np.ndarray:
    """Flat with mean 1 over good pixels, NaN where it is not positive."""
    good = (flat > 0) & ((bad == 0) if bad is not None else True)
    if not good.any():
        msg = "flat: no pixel is good; are these flat fields?"
        raise CalibrationError(msg)
    mean = np.mean(flat[good], dtype=float)
    return np.where(flat > 0, flat / mean, np.nan).astype(np.float32)


def _noise(
    groups: dict[FrameKind, Group], light: Exposure, paths: Sequence[Path], notes: list[Note]
) -> CameraNoise | None:
    """Gain and read noise from pairs of exposed and of dark frames; None without such.

    Flats, else the sky of two light frames in succession; biases, else darks, whose current counts
    as read noise.
    """
    dark_kind = next((k for k in (FrameKind.BIAS, FrameKind.DARK) if len(groups[k]) > 1), None)
    flats = groups[FrameKind.FLAT]
    of_lights = len(flats) < 2
    if dark_kind is None or (of_lights and (len(paths) < 2 or light.done)):
        return None
    try:
        if of_lights:
            middle = len(paths) // 2
            exposed = sky_of_pair(
                *(_rows_of(p, NOISE_ROWS) for p in paths[middle - 1 : middle + 1])
            )
        else:
            exposed = _central_rows(flats)
        noise = measure_noise(
            exposed, _central_rows(groups[dark_kind]), saturation_adu=light.saturation_adu
        )
    except (CalibrationError, FrameError) as error:
        notes.append(Note(str(error), Severity.INFO if of_lights else Severity.WARNING))
        return None
    if noise.gain_err > LARGEST_ERROR * noise.gain_e_per_adu:
        return None
    of = f"{'the sky of two light frames' if of_lights else 'flats'} and {dark_kind} frames"
    text = (
        f"gain {noise.gain_e_per_adu:.4g} +- {noise.gain_err:.2g} e/ADU and read noise "
        f"{noise.read_noise_e:.4g} +- {noise.read_noise_err:.2g} e measured from pairs: {of}"
    )
    notes.append(Note(text))
    if text := contradiction(noise, light, dark_current=dark_kind is FrameKind.DARK):
        notes.append(Note(f"by {of} {text}", Severity.WARNING))
    return noise


def _central_rows(group: Sequence[tuple[Path, Exposure]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows about the middle of the first two frames."""
    first, second = (_rows_of(path, NOISE_ROWS) for path, _ in group[:2])
    return first, second


def _level(path: Path) -> float:
    """Median of a frame's middle rows, ADU."""
    return float(np.nanmedian(_rows_of(path, LEVEL_ROWS)))


def _rows_of(path: Path, n: int) -> np.ndarray:
    """Rows about the middle of a frame, at most n."""
    with tempfile.TemporaryDirectory(prefix="lightcurve-") as spill:
        source = open_rows(path, Path(spill))
        return read_rows(source, *_middle_rows(source.shape[0], n))


def _middle_rows(ny: int, n: int = NOISE_ROWS) -> tuple[int, int]:
    return max((ny - n) // 2, 0), min((ny + n) // 2, ny)
