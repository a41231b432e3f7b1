"""Gain, read noise and saturation: given, of the header, measured, or assumed aloud."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.calib.gain import clip_level
from lightcurve.calib.sky_noise import gain_of_lights, gains_agree
from lightcurve.core.data import Assumed, Exposure, Masters, RawFrame, Style
from lightcurve.core.settings import Settings
from lightcurve.phot.noise import NoiseModel
from lightcurve.setup.colour import plane_of

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["MAX_SHARED", "SHARED_NOISE", "CameraValues", "noise_of_sums", "settle_camera"]

log = logging.getLogger(__name__)
ASSUMED = "assumed"
SHARED_NOISE, MAX_SHARED = "NOISECOR", 10.0  # beyond, it says something else
SEVERAL = 20  # pixels, of a star and not of hot ones or cosmic rays alone


@dataclass(frozen=True, slots=True)
class CameraValues:
    """What the measuring assumes of the camera; each with its source."""

    noise: NoiseModel
    gain_known: bool
    saturation_adu: float | None
    linearity_adu: float | None
    values: tuple[Assumed, ...]


def settle_camera(
    frames: Sequence[RawFrame], masters: Masters | None, settings: Settings
) -> CameraValues:
    """Settle gain, read noise and saturation: settings, header, measured, else assumed aloud."""
    exposure = frames[0].exposure
    gain, gain_source, gain_guessed = _gain(frames, masters, settings)
    read_noise, noise_source, noise_guessed = _settled(
        exposure, masters, "read_noise_e", 0.0, "--read-noise"
    )
    saturation, level = _saturation(frames, of_header=settings.camera.saturation_adu is None)
    dark, dark_values = _dark(exposure, settings.camera.dark_current_e_per_s)
    plane = plane_of(exposure, settings)
    n = plane.n if plane else 1  # pixels of which one that is measured is the mean
    of_sums, shared = _shared_noise(frames[0])
    noise = NoiseModel(
        gain_e_per_adu=n * gain, read_noise_e=n**0.5 * read_noise, dark_e=n * dark, of_sums=of_sums
    )
    values = (
        *_profile(exposure),
        Assumed("gain", gain, "e-/ADU", gain_source, f"{gain:.4g} e-/ADU", guessed=gain_guessed),
        Assumed(
            "read noise", read_noise, "e-", noise_source, f"{read_noise:.4g} e-",
            guessed=noise_guessed,
        ),
        level,
        *_linearity(exposure),
        *dark_values,
        *shared,
    )  # fmt: skip
    for value in values:
        log.log(logging.WARNING if value.guessed else logging.INFO, "%s", value)
    return CameraValues(noise, not gain_guessed, saturation, exposure.linearity_adu, values)


def _gain(
    frames: Sequence[RawFrame], masters: Masters | None, settings: Settings
) -> tuple[float, str, bool]:
    """Value, e-/ADU, source, and whether nothing really tells it."""
    exposure = frames[0].exposure
    gain, source, guessed = _settled(exposure, masters, "gain_e_per_adu", 1.0, "--gain")
    if "gain_e_per_adu" in exposure.guessed:
        told = _tell_unit(exposure, frames, masters)
        if told is not None:
            return *told, False
    if guessed and len(frames) > 1 and settings.apertures.style != Style.AIJ:
        source = source.replace(ASSUMED, f"{ASSUMED} until the field's stars tell it", 1)
    return gain, source, guessed


def _saturation(frames: Sequence[RawFrame], *, of_header: bool) -> tuple[float | None, Assumed]:
    """Level, ADU, at which pixels are full: the header's or a setting's, or where they stand."""
    exposure = frames[0].exposure
    level, source = exposure.saturation_adu, exposure.sources.get("saturation_adu", "")
    measured = clip_level([frame.pixels for frame in frames])
    if level is None or (measured and measured < level and of_header):
        level, source = measured, "measured: pixels stand at it, and none above"
    if level is None:
        source = "not known: no header, no clipped stars"
        return None, Assumed("saturation", None, "ADU", source, "none")
    beyond = _beyond(frames, level) if of_header and not exposure.done else ""
    text = f"{level:.6g} ADU"
    return level, Assumed("saturation", level, "ADU", source + beyond, text, guessed=bool(beyond))


def _shared_noise(frame: RawFrame) -> tuple[float, tuple[Assumed, ...]]:
    """Read of a stack's header what a sum of its pixels has of noise that neighbours share."""
    noise = noise_of_sums(frame.header)
    if noise is None:
        return 1.0, ()
    text = f"{noise:.4g} of that of its pixels in quadrature"
    return noise, (Assumed("noise of a sum", noise, "", f"header {SHARED_NOISE}", text),)


def noise_of_sums(header: Header) -> float | None:
    """Read the noise of a sum over that of its pixels in quadrature; None where none is told."""
    card = header.get(SHARED_NOISE)
    told = isinstance(card, float | int) and 1 <= card <= MAX_SHARED
    return float(card) if told else None


def _beyond(frames: Sequence[RawFrame], level: float) -> str:
    """Say how many pixels count to twice the level at which they should be full, if several do."""
    n = sum(np.count_nonzero(frame.pixels > 2 * level) for frame in frames)
    if n < SEVERAL:
        return ""
    return (
        f", but {n} pixels of {len(frames)} frames have over twice as much; --saturation settles it"
    )


def _profile(exposure: Exposure) -> tuple[Assumed, ...]:
    """Show which profile filled what the header leaves out."""
    name = exposure.profile
    return () if name is None else (Assumed("camera", name, "", exposure.sources["profile"], name),)


def _linearity(exposure: Exposure) -> tuple[Assumed, ...]:
    """Show up to which level the camera is linear, and how it is made so, where that is known."""
    level, terms, sources = exposure.linearity_adu, exposure.linearity_terms, exposure.sources
    shown = []
    if level is not None:
        text = f"{level:.6g} ADU"
        shown.append(Assumed("linear up to", level, "ADU", sources["linearity_adu"], text))
    if terms is not None:
        text = " + ".join(f"{term:g} v^{k}" for k, term in enumerate(terms))
        shown.append(Assumed("made linear by", terms, "ADU", sources["linearity_terms"], text))
    return tuple(shown)


def _tell_unit(
    exposure: Exposure, frames: Sequence[RawFrame], masters: Masters | None
) -> tuple[float, str] | None:
    """Tell by the frames' own noise if a header's gain without a unit is one, or a setting.

    Returns the gain and its source; None where the frames do not tell.
    """
    value, where = exposure.gain_e_per_adu, exposure.sources["gain_e_per_adu"].split(" (")[0]
    measured = None if masters is None else masters.gain_e_per_adu
    found = (measured, 0.0) if measured else gain_of_lights([one.pixels for one in frames])
    if found is None or value is None:
        return None
    shown = f"the noise of the frames has {found[0]:.3g} e-/ADU"
    if gains_agree(value, *found):
        return value, f"{where}, in e-/ADU: {shown}"
    return found[0], f"{shown}, not the {value:g} of {where}: a setting, or of other numbers"


def _dark(exposure: Exposure, current: float) -> tuple[float, tuple[Assumed, ...]]:
    """Electrons a pixel by the dark current, and what is shown of it where one was given."""
    source = "setting camera.dark_current_e_per_s"
    if not current:
        return 0.0, ()
    if exposure.exposure_s is None:
        why = f"{source}, but 0 e- {ASSUMED}: the exposure is not known"
        return 0.0, (Assumed("dark", current, "e-/s", why, f"{current:.4g} e-/s", guessed=True),)
    dark = current * exposure.exposure_s
    text = f"{dark:.4g} e- in {exposure.exposure_s:g} s"
    return dark, (Assumed("dark", dark, "e-", source, text),)


def _settled(
    exposure: Exposure, masters: Masters | None, name: str, fallback: float, option: str
) -> tuple[float, str, bool]:
    """Value, source, and whether nothing really tells it."""
    value, source = getattr(exposure, name), exposure.sources.get(name, "")
    if value is not None and name not in exposure.guessed:
        return value, source, False
    measured = getattr(masters, name, None)
    if measured is not None:
        return measured, "measured from pairs of frames", False
    if value is not None:
        return value, source, True
    setting = exposure.sources.get("gain_setting") if name == "gain_e_per_adu" else None
    told = f"{setting} is taken for a setting" if setting else "not in the header"
    why = f"{ASSUMED}: {told}, no flats and biases; {option} settles it"
    return fallback, why, True
