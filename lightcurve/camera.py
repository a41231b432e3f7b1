"""Gain, read noise and saturation: given, of the header, measured, or assumed aloud."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from lightcurve.calib.levels import clip_level
from lightcurve.config import Settings
from lightcurve.data import Exposure, Frame, Masters
from lightcurve.phot.noise import NoiseModel

log = logging.getLogger(__name__)

ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class CameraValues:
    """What the measuring assumes of the camera; each with its source."""

    noise: NoiseModel
    gain_known: bool
    saturation_adu: float | None
    sources: tuple[tuple[str, str, str], ...]


def settle_camera(
    frames: Sequence[Frame], masters: Masters | None, settings: Settings
) -> CameraValues:
    """Settle gain, read noise and saturation: settings, header, measured, else assumed aloud.

    Parameters
    ----------
    frames : sequence of Frame
        Raw.
    masters : Masters or None
    settings : Settings

    Returns
    -------
    CameraValues
    """
    exposure = frames[0].exposure
    gain, gain_source = _settled(exposure, masters, "gain_e_per_adu", 1.0)
    if ASSUMED in gain_source and len(frames) > 1 and settings.apertures.style != "aij":
        gain_source = gain_source.replace(ASSUMED, f"{ASSUMED} until the field's stars tell it", 1)
    read_noise, noise_source = _settled(exposure, masters, "read_noise_e", 0.0)
    saturation, level_source = exposure.saturation_adu, exposure.sources.get("saturation_adu", "")
    measured = clip_level([frame.pixels for frame in frames])
    if saturation is None or (measured and measured < saturation and "header" in level_source):
        saturation, level_source = measured, "measured: pixels pile up at it"
    if saturation is None:
        level_source = "not known: no header, no clipped stars"
    dark, dark_values = _dark(exposure, settings.camera.dark_current_e_per_s)
    noise = NoiseModel(gain_e_per_adu=gain, read_noise_e=read_noise, dark_e=dark)
    sources = (
        ("gain", f"{gain:.4g} e-/ADU", gain_source),
        ("read noise", f"{read_noise:.4g} e-", noise_source),
        ("saturation", "none" if saturation is None else f"{saturation:.6g} ADU", level_source),
        *dark_values,
    )
    for name, value, source in sources:
        log.log(
            logging.WARNING if ASSUMED in source else logging.INFO,
            "%s: %s, %s",
            name,
            value,
            source,
        )
    return CameraValues(noise, ASSUMED not in gain_source, saturation, sources)


def _dark(exposure: Exposure, current: float) -> tuple[float, tuple[tuple[str, str, str], ...]]:
    """Electrons a pixel by the dark current, and what is shown of it where one was given."""
    source = "setting camera.dark_current_e_per_s"
    if not current:
        return 0.0, ()
    if exposure.exposure_s is None:
        why = f"{source}, but 0 e- {ASSUMED}: the exposure is not known"
        return 0.0, (("dark", f"{current:.4g} e-/s", why),)
    dark = current * exposure.exposure_s
    return dark, (("dark", f"{dark:.4g} e- in {exposure.exposure_s:g} s", source),)


def _settled(
    exposure: Exposure, masters: Masters | None, name: str, fallback: float
) -> tuple[float, str]:
    value = getattr(exposure, name)
    if value is not None:
        return value, exposure.sources[name]
    measured = getattr(masters, name, None)
    if measured is not None:
        return measured, "measured from pairs of calibration frames"
    option = "--gain" if name.startswith("gain") else "--read-noise"
    return fallback, f"{ASSUMED}: not in the header, no flats and biases; {option} settles it"
