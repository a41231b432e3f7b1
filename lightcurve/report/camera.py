"""What flats and biases say of a camera, as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.data import Result
from lightcurve.report.style import FIELD, MODEL, TARGET, plain_log_ticks, styled_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["save_camera"]


def save_camera(path: str | Path, found: Mapping[str, Result]) -> Path:
    """Draw the histogram of the biases' difference, and what a series of flats tells.

    Parameters
    ----------
    found : mapping of str to Result
        Of `lightcurve.calib.one_by_one.camera_noise`.

    Raises
    ------
    InputError
        When the figure cannot be written.
    """
    drawn = [_difference]
    if "signal_adu" in found:
        drawn.append(_transfer)
    if "deviation_percent" in found:
        drawn.append(_linearity)
    with styled_figure(path, (4.6 * len(drawn), 4.0)) as figure:
        for axes, draw in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
            draw(axes, found)
    return Path(path)


def _numbers(found: Mapping[str, Result], name: str) -> np.ndarray:
    return np.array(found[name].value, dtype=float)


def _difference(axes: Axes, found: Mapping[str, Result]) -> None:
    """Draw how often each difference of two biases occurs, and the Gaussian of the read noise."""
    value, count = _numbers(found, "difference_adu"), _numbers(found, "difference_count")
    sigma = np.sqrt(2) * float(_numbers(found, "read_noise_adu"))
    axes.step(value, count, where="mid", color=TARGET, label="pixels")
    x = np.linspace(-5 * sigma, 5 * sigma, 300)
    gauss = count.sum() / (sigma * np.sqrt(2 * np.pi)) * np.exp(-((x / sigma) ** 2) / 2)
    axes.plot(x, gauss, color=MODEL, label=f"Gaussian of {sigma:.2f} ADU")
    axes.set(
        yscale="log", xlim=(-8 * sigma, 8 * sigma), ylim=(0.5, None),
        xlabel="bias 1 - bias 2 (ADU)", ylabel="pixels",
    )  # fmt: skip
    plain_log_ticks(axes.yaxis)
    axes.legend()


def _transfer(axes: Axes, found: Mapping[str, Result]) -> None:
    """Draw the photon transfer curve: noise over signal, and that of the gain and read noise."""
    signal, variance = _numbers(found, "signal_adu"), _numbers(found, "variance_adu2")
    gain, read = (float(_numbers(found, name)) for name in ("gain_e_per_adu", "read_noise_adu"))
    axes.loglog(signal, np.sqrt(np.maximum(variance, 1e-3)), "o", color=TARGET, label="flats")
    x = np.geomspace(min(signal.min(), 1.0), signal.max(), 200)
    axes.plot(x, np.sqrt(x / gain + read**2), color=MODEL, label=f"{gain:.4g} e-/ADU")
    axes.axhline(read, color=FIELD, ls=":", label=f"read noise, {read:.3g} ADU")
    if found["full_well_reached"].value == "true":
        axes.axvline(
            float(_numbers(found, "full_well_adu")), color=FIELD, ls="--", label="full well"
        )
    axes.set(xlabel="signal (ADU)", ylabel="noise (ADU)")
    plain_log_ticks(axes.xaxis, (1.0,))
    plain_log_ticks(axes.yaxis)
    axes.legend()


def _linearity(axes: Axes, found: Mapping[str, Result]) -> None:
    """Draw how far each flat is from proportion to its exposure."""
    signal, off = _numbers(found, "signal_adu"), _numbers(found, "deviation_percent")
    whole = signal <= float(_numbers(found, "full_well_adu"))
    axes.plot(signal[whole], off[whole], "o-", color=TARGET)
    for level in (-1, 1):
        axes.axhline(level, color=FIELD, ls=":")
    axes.axhline(0, color=MODEL)
    axes.set(xlabel="signal (ADU)", ylabel="from the line in the exposure (%)")
