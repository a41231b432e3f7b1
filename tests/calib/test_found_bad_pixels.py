"""Bad pixels, columns and rows of a camera in plain numpy: 99 % are found, hardly any wrongly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.calib.masters import build_masters
from lightcurve.core.data import Exposure, FrameKind
from lightcurve.core.settings import CalibrationSettings

SHAPE = (300, 360)
GAIN, READ_E, BIAS, SKY_E = 1.4, 7.0, 600.0, 250.0
KINDS = ("hot", "telegraph", "noisy", "dead", "lines")
Y, X = np.indices(SHAPE)


@dataclass(frozen=True, slots=True)
class Camera:
    """A sensor with faults; each by where it is."""

    faults: dict[str, np.ndarray]
    current: np.ndarray  # electrons in one exposure, without light
    response: np.ndarray
    bias: np.ndarray
    rng: np.random.Generator

    def expose(self, electrons: np.ndarray | float, *, dark: bool = True) -> np.ndarray:
        rng = self.rng
        held = rng.poisson(np.maximum(electrons * self.response, 0))
        current = self.current * (0.0 if not dark else 1.0)
        jumps = self.faults["telegraph"] & (rng.random(SHAPE) < 0.4)
        held = held + rng.poisson(current + (3000.0 * dark) * jumps)
        noise = np.where(self.faults["noisy"], 40 * READ_E, READ_E)
        read = rng.normal(0, noise)
        return np.clip(np.rint(self.bias + (held + read) / GAIN), 0, 65535).astype(np.uint16)


def camera(seed: int) -> Camera:
    rng = np.random.default_rng(seed)
    kind = rng.random(SHAPE)
    faults = {
        "hot": kind < 0.001,
        "telegraph": (kind > 0.3) & (kind < 0.3005),
        "noisy": (kind > 0.5) & (kind < 0.5005),
        "dead": (kind > 0.7) & (kind < 0.701),
        "lines": np.zeros(SHAPE, bool),
    }
    current, response = rng.exponential(3.0, SHAPE), rng.normal(1, 0.01, SHAPE)
    current[faults["hot"]] = rng.uniform(15000, 40000, np.count_nonzero(faults["hot"]))
    response[faults["dead"]] = rng.uniform(0, 0.3, np.count_nonzero(faults["dead"]))
    for k, (column, row) in enumerate(((70, 41), (255, 200))):
        faults["lines"][:, column] = faults["lines"][row] = True
        if k:
            response[:, column] *= 0.4
            response[row] *= 0.5
        else:
            current[:, column] += 12000
            current[row] += 9000
    bias = BIAS + rng.normal(0, 2, SHAPE[1]) + rng.normal(0, 1, SHAPE[0])[:, None]
    return Camera(faults, current, response, bias, rng)


def sky(k: int, rng: np.random.Generator) -> np.ndarray:
    """Forty stars that drift by more than their width, electrons."""
    light = np.full(SHAPE, SKY_E) * (1 + 0.05 * np.hypot(X - 180, Y - 150) / 200)
    places = np.random.default_rng(5)
    for _ in range(40):
        x, y, peak = places.uniform(0, 360), places.uniform(0, 300), places.uniform(300, 30000)
        at_x, at_y = x + 1.1 * k + rng.normal(0, 0.3), y - 0.7 * k + rng.normal(0, 0.3)
        light += peak * np.exp(-((X - at_x) ** 2 + (Y - at_y) ** 2) / 2 / 1.5**2)
    return light


def frames(folder: Path, one: Camera, **numbers: int) -> dict[str, list[tuple[Path, Exposure]]]:
    groups: dict[str, list[tuple[Path, Exposure]]] = {}
    seconds = {"bias": 0.0, "dark": 60.0, "light": 60.0, "flat": 1.0}
    for kind, n in numbers.items():
        groups[kind] = []
        for k in range(n):
            electrons = {"light": lambda k=k: sky(k, one.rng), "flat": lambda: 30000.0}
            light = electrons.get(kind, lambda: 0.0)()
            path = folder / f"{kind}{k:02d}.fits"
            pixels = one.expose(light, dark=kind in {"dark", "light"})
            fits.PrimaryHDU(pixels).writeto(path)
            exposure = Exposure(
                FrameKind(kind), exposure_s=seconds[kind], shape=SHAPE, gain_e_per_adu=GAIN
            )
            groups[kind].append((path, exposure))
    return groups


def found(groups: dict[str, list[tuple[Path, Exposure]]]) -> np.ndarray:
    light = groups["light"][0][1] if "light" in groups else next(iter(groups.values()))[0][1]
    bad = build_masters(
        light, *(groups.get(kind, ()) for kind in ("bias", "dark", "flat", "dark flat")),
        settings=CalibrationSettings(),
        light_frames=[path for path, _ in groups.get("light", ())],
    ).bad  # fmt: skip
    assert bad is not None
    return bad != 0


@pytest.mark.parametrize(
    ("numbers", "kinds"),
    [
        ({"bias": 8, "dark": 10, "flat": 8}, KINDS),
        ({"bias": 8, "dark": 16}, ("hot", "telegraph", "noisy")),
        ({"bias": 8, "flat": 8}, ("dead",)),
        ({"light": 20}, KINDS),
    ],
)
def test_99_percent_are_found_and_hardly_any_wrongly(
    numbers: dict[str, int], kinds: tuple[str, ...], tmp_path: Path
) -> None:
    one = camera(3)
    bad = found(frames(tmp_path, one, **numbers))
    wanted = np.logical_or.reduce([one.faults[kind] for kind in kinds])
    every = np.logical_or.reduce(list(one.faults.values()))
    assert bad[wanted].mean() > 0.99
    assert (bad & ~every).mean() < 1e-4


def test_what_bias_and_flat_take_off_is_not_bad(tmp_path: Path) -> None:
    """Pixels and columns whose bias is off, or that answer a little less than others."""
    one = camera(4)
    for name in one.faults:
        one.faults[name][:] = False
    one.current[:], one.response[:] = 3.0, 1.0
    one.bias[one.rng.random(SHAPE) < 0.002] += 150.0
    one.bias[one.rng.random(SHAPE) < 0.002] -= 150.0
    one.bias[:, 90] -= 60.0
    one.response[:, 200], one.response[150, ::7] = 0.7, 0.6
    groups = frames(tmp_path, one, bias=8, flat=8, light=20)
    masters = build_masters(
        groups["light"][0][1], groups["bias"], [], groups["flat"], [],
        settings=CalibrationSettings(), light_frames=[path for path, _ in groups["light"]],
    )  # fmt: skip
    assert masters.bad is not None
    assert set(np.flatnonzero((masters.bad != 0).any(axis=0))) <= {200}  # off by over 5 %
    without_flat = build_masters(
        groups["light"][0][1], groups["bias"], [], [], [],
        settings=CalibrationSettings(), light_frames=[path for path, _ in groups["light"]],
    ).bad  # fmt: skip
    assert without_flat is not None
    wrong = without_flat != 0
    wrong[:, 200] = wrong[150, ::7] = False
    assert not wrong.any()
