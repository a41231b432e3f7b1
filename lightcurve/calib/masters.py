"""Master bias, dark and flat for the light frames of one setup."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

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
from lightcurve.calib.combine import Combined, open_rows, read_rows
from lightcurve.calib.flats import combine_flats, normalised
from lightcurve.calib.gain import CameraNoise, measure_noise
from lightcurve.calib.match import Group, by_exposure, choose_frames, same_exposure, setup_of
from lightcurve.calib.sky_noise import contradiction, sky_of_pair
from lightcurve.calib.stacker import Stacker, level_of, middle_rows, rows_about_middle
from lightcurve.calib.warm import Warm, share_of_dark, warm_of_lights
from lightcurve.core.data import CALIBRATION, Exposure, FrameKind, Masters, Note, Severity, Step
from lightcurve.core.errors import CalibrationError, FrameError
from lightcurve.core.flags import PixelFlag, count_pixels
from lightcurve.core.progress import Progress
from lightcurve.core.robust import image_median
from lightcurve.core.settings import CalibrationSettings

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
    notes: list[Note] = []
    groups: dict[FrameKind, Group] = {}
    for kind, group in zip(CALIBRATION, (bias, dark, flat, dark_flat), strict=True):
        groups[kind], found = choose_frames(kind, group, light, settings)
        notes += found
    linear = None if light.done else light.linearity_terms
    stacker = Stacker(settings, progress, notes, linear)
    master_bias = stacker.mean(FrameKind.BIAS, groups[FrameKind.BIAS])
    darks = _combine_darks(groups[FrameKind.DARK], master_bias, light, settings, stacker)
    _refuse_calibrated(light, light_frames, darks.floor(master_bias), settings, notes)
    master_flat = _image_of(
        combine_flats(groups, stacker, master_bias, darks.without_bias, darks.seconds, light)
    )
    noise = _noise(groups, light, light_frames, notes)
    gain, n_sigma = _gain(light, noise), settings.hot_pixel_sigma
    hot = dead = None
    if Step.DARK in light.done:
        tell_warm = False  # nothing is taken off such frames
    if (own := darks.combined) is not None:
        scale = darks.scale_to(light, has_bias=master_bias is not None)
        if tell_warm:
            own = _as_warm_as_lights(own, light_frames, scale, stacker)
            darks = replace(darks, image=own.image)
        pixel = _pixel_noise(own, master_bias, light_frames, gain, scale)
        hot = _hot_pixels(own, master_bias, pixel, n_sigma, light.saturation_adu)
    elif warm := warm_of_lights(light_frames if tell_warm else (), light.shape):
        darks = _dark_of_lights(warm, light, stacker)
        hot, dead = _bad_of_lights(warm, master_bias, master_flat, gain, n_sigma)
    bad = _bad_pixels(hot, dead, master_flat, light.shape, settings, notes)
    return Masters(
        bias=master_bias,
        dark=darks.image,
        dark_exposure_s=None if darks.seconds is None else _as_written(darks.seconds),
        dark_includes_bias=darks.biased,
        flat=None if master_flat is None else normalised(master_flat, bad),
        bad=bad,
        gain_e_per_adu=_as_written(noise.gain_e_per_adu) if noise else None,
        read_noise_e=_as_written(noise.read_noise_e) if noise else None,
        notes=tuple(notes),
        inputs=stacker.inputs,
        of=_setups(stacker.groups, biased_dark=darks.biased),
    )


def _image_of(combined: Combined | None) -> np.ndarray | None:
    """Take the image alone: what goes with it, twice as large, need not stay in memory."""
    return None if combined is None else combined.image


@dataclass(frozen=True, slots=True, eq=False)
class _Darks:
    """The master dark: its exposure, whether the bias is in it; all None without darks."""

    seconds: float | None = None
    combined: Combined | None = None
    image: np.ndarray | None = None
    biased: bool = False

    @property
    def without_bias(self) -> np.ndarray | None:
        """The dark, where the bias is off it."""
        return None if self.biased else self.image

    def floor(self, bias: np.ndarray | None) -> np.ndarray | None:
        """Give what no raw light frame is below: the bias, by itself or in the dark."""
        return self.image if self.biased else bias

    def scale_to(self, light: Exposure, *, has_bias: bool) -> float:
        """Factor by which it is taken off a light frame."""
        if not has_bias or not self.seconds or not light.exposure_s:
            return 1.0
        return light.exposure_s / self.seconds


def _combine_darks(
    group: Group,
    bias: np.ndarray | None,
    light: Exposure,
    settings: CalibrationSettings,
    stacker: Stacker,
) -> _Darks:
    """Combine darks of one exposure, with the bias off where there is one."""
    has_bias = bias is not None
    seconds, darks = _choose_dark(group, light, settings, stacker.notes, has_bias=has_bias)
    held = _with_bias(darks, bias, stacker.notes)
    combined = stacker.combined(
        FrameKind.DARK, darks, subtract=None if bias is None else (bias, held)
    )
    biased = combined is not None and not has_bias and bool(held.any())
    return _Darks(seconds, combined, None if combined is None else combined.image, biased)


def _dark_of_lights(warm: Warm, light: Exposure, stacker: Stacker) -> _Darks:
    """Take off what light frames alone show of warm pixels."""
    if not warm.excess.any():
        return _Darks(light.exposure_s)
    stacker.inputs[FrameKind.DARK] = warm.names
    text = (
        f"none; {np.count_nonzero(warm.excess)} warm pixels, which stand out in each of "
        f"{len(warm.names)} light frames, are taken off instead"
    )
    stacker.note(text, FrameKind.DARK)
    return _Darks(light.exposure_s, image=warm.excess)


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


def _with_bias(darks: Group, bias: np.ndarray | None, notes: list[Note]) -> np.ndarray:
    """Tell which darks have the bias in them: 1, or 0 where a program took it off; (n,) floats.

    A header may say so; else a level below half of the bias does.
    """
    held = np.array([Step.BIAS not in exposure.done for _, exposure in darks], dtype=float)
    if bias is None or not held.any():
        return held
    level = image_median(bias)
    for k, (path, _) in enumerate(darks):
        dark = level_of(path) if held[k] else level
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
        level, bias = level_of(paths[0]), image_median(floor)
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
            if len(members) < len(group):
                others = ", ".join(f"{s:g} s" if s else "unknown" for s in groups if s != seconds)
                text = (
                    f"dark: {len(group) - len(members)} of {len(group)} frames left out: {others}"
                )
                notes.append(Note(f"{text}, not {seconds:g} s", subject=FrameKind.DARK))
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


def _gain(light: Exposure, noise: CameraNoise | None) -> float:
    """Electrons per ADU: of header or settings, else of pairs, else 1, as everywhere."""
    if light.gain_e_per_adu is not None and "gain_e_per_adu" not in light.guessed:
        return light.gain_e_per_adu
    return noise.gain_e_per_adu if noise else light.gain_e_per_adu or 1.0


def _pixel_noise(
    dark: Combined, bias: np.ndarray | None, paths: Sequence[Path], gain: float, scale: float
) -> PixelNoise:
    """Noise of a usual pixel of a light frame: of the darks, and of the sky of one that is read."""
    sky = _skylevel_of(paths, dark.image, bias, scale)
    return PixelNoise(
        dark_variance(dark.image, dark.std, len(dark.paths)) + sky / gain, gain, scale
    )


def _skylevel_of(
    paths: Sequence[Path], dark: np.ndarray, bias: np.ndarray | None, scale: float
) -> float:
    """Median of the first light frame that can be read above bias and dark, ADU; 0 without one."""
    for path in paths:
        try:
            with tempfile.TemporaryDirectory(prefix="lightcurve-") as spill:
                source = open_rows(path, Path(spill))
                rows = slice(*middle_rows(source.shape[0]))
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
    if flat is not None:  # it takes off what pixels and columns lack, and tells the worst
        return (hot, None) if hot.any() else (None, None)
    level, lacking = warm.lowest, warm.lacking
    if bias is not None:
        level = level - (bias - np.float32(image_median(bias)))
        lacking = np.where(lacking > 0, lacking + (bias - tile_median(bias)), 0)
    hot |= bad_lines(level, least=warm.sigma)
    dead = lacking > n_sigma * warm.sigma
    return (hot, dead) if hot.any() or dead.any() else (None, None)


def _as_warm_as_lights(
    dark: Combined, paths: Sequence[Path], scale: float, stacker: Stacker
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
        level = COLUMN_LEAST_FLAT * image_median(flat)
        bad[bad_lines(flat, least=level)] |= np.uint8(PixelFlag.DEAD)
    if settings.bad_pixel_map is not None:
        bad |= read_user_map(settings.bad_pixel_map, shape)
    told = ", ".join(f"{count} {name}" for name, count in count_pixels(bad).items()) or "none"
    many = np.count_nonzero(bad) > MANY_BAD * bad.size
    severity = Severity.WARNING if many else Severity.INFO
    notes.append(Note(f"bad pixels: {told}", severity))
    return bad


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
            exposed = sky_of_pair(*(rows_about_middle(p) for p in paths[middle - 1 : middle + 1]))
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
    first, second = (rows_about_middle(path) for path, _ in group[:2])
    return first, second
