"""Settings, planet files and run folders made hostile, each case by its number."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic import BaseModel

from corral import run_command
from lightcurve.core.settings import Settings
from odd_frames import Case
from sim import tiny_night

Dice = random.Random
NUMBERS = (
    "0", "-1", "1", "2", "1e-300", "1e-20", "1e-5", "0.5", "100", "1e6", "1e9", "1e30", "1e300",
    "1.7e308", "inf", "-inf", "nan",
    "-0.0", "9223372036854775807", "1" + "0" * 30, "65536", "3000000",
)  # fmt: skip
OTHERS = (
    "true", '""', '"x"', '"nan"', '"1e400"', "[]", "[1]", "[1, 2, 3]", "[[1]]", "[nan, inf]",
    "[1e300, 1e-300]",
    "{a = 1}", '["a", "b"]', "2020-01-01", "12:00:00", r'"\u001b[31mred\u0007"',
    '"caf\u00e9 \u661f"',
    '"' + "x" * 2000 + '"', '"/dev/zero"', '"."', '"/nowhere/x.fits"', '"../night"', '"1,2"',
    '"99:99:99"',
    '"[bold]{0}%s$(id)"', "[" * 200 + "]" * 200, "[0.001, 1e5]", "[-5, 3]", '"20,30"',
)  # fmt: skip
PLANET = {
    "name": '"Tiny-1 b"', "ra": '"20.0"', "dec": '"30.0"', "period_days": "2.15",
    "t0_bjd_tdb": "2459000.75",
    "rp_over_rs": "0.12", "a_over_rs": "6.05", "inclination_deg": "88.9", "eccentricity": "0.0",
    "omega_deg": "90.0",
}  # fmt: skip
STAR = {"teff_k": "6207", "logg": "4.33", "feh": "-0.04"}
COMMANDS = (
    (("plan", "night"), 4), (("inspect", "night"), 2), (("inspect", "night/light_0001.fits"), 1),
    (("solve", "night/light_0001.fits", "--offline"), 2), (("image", "night/light_0001.fits",
    "--sequence", "--offline", "--out", "o"), 4),
    (("run", "night", "--offline", "--out", "o"), 4), (("measure", "night", "--offline", "--out",
    "o"), 1),
    (("stack", "night", "--offline", "--out", "o"), 1), (("calibrate", "night", "--out", "o"), 1),
    (("fit", "run/lightcurve.csv", "--out", "o"), 2), (("image", "night/light_0001.fits",
    "--offline", "--out", "o"), 1),
    (("recompute", "run"), 1), (("config", "check"), 0),
)  # fmt: skip
ON_RUNS = (
    ("plot", "run", "--format", "png"), ("plot", "run", "--figure", "light_curve"), ("fit", "run",
    "--out", "o", "--no-sample"),
    ("tune", "run"), ("tune", "run", "--radius", "4", "--json"), ("export", "exoclock", "run"),
    ("export", "aavso-exoplanet", "run", "--observer-code", "ABC"),
    ("export", "etd", "run"), ("recompute", "run"), ("compare", "run", "run"), ("run", "night",
    "--offline", "--out", "run", "--ra", "20", "--dec", "30", "--workers", "1"),
    ("run", "night", "--config", "run/run.toml", "--out", "o"), ("fit", "run/lightcurve.csv",
    "--out", "o", "--no-sample"), ("tune", "run", "--apply"),
)  # fmt: skip


@dataclass(frozen=True)
class Sound:
    """A night and its run, sound: what cases are made from."""

    night: Path
    run: Path


def prepare(folder: Path) -> Sound:
    """Simulate a small night with a transit's planet file and reduce it."""
    folder.mkdir()
    tiny_night(folder / "night", n_frames=12, shape=(120, 160), n_stars=40, header_wcs=True)
    write_planet(folder / "planet.toml", PLANET, STAR)
    (folder / "c.toml").write_text("workers = 1\n[fit]\nsample = false\n")
    words = [
        "run",
        "night",
        "--offline",
        "--planet",
        "planet.toml",
        "--config",
        "c.toml",
        "--out",
        "run",
    ]
    ran = run_command([words], folder, seconds=300, megabytes=4000)
    assert not ran.status, ran.err
    shutil.rmtree(folder / "run" / "figures", ignore_errors=True)
    return Sound(folder / "night", folder / "run")


def write_planet(path: Path, planet: dict[str, str], star: dict[str, str]) -> None:
    lines = [f"{key} = {value}" for key, value in planet.items()]
    path.write_text("\n".join([*lines, "[star]", *(f"{k} = {v}" for k, v in star.items())]))


def fields_of(model: type[BaseModel], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """List the paths of all settings."""
    paths = []
    for name, one in model.model_fields.items():
        inner = [
            kind
            for kind in (one.annotation, *get_args(one.annotation))
            if isinstance(kind, type) and issubclass(kind, BaseModel)
        ]
        paths += fields_of(inner[0], (*path, name)) if inner else [(*path, name)]
    return paths


FIELDS = fields_of(Settings)


def case(sound: Sound, number: int, folder: Path) -> Case:
    """Make the files of a case in `folder`, and choose the command that meets them."""
    dice = Dice(number)
    (folder / "night").symlink_to(sound.night)
    made: Callable[[Sound, Dice, Path], tuple[list[str], str]]
    made = dice.choices((odd_config, odd_planet, odd_run), (5, 2, 5))[0]
    words, told = made(sound, dice, folder)
    return Case([words], 1, told)


def a_value(dice: Dice) -> str:
    return dice.choice(NUMBERS if dice.random() < 0.65 else OTHERS)


def odd_config(sound: Sound, dice: Dice, folder: Path) -> tuple[list[str], str]:
    (folder / "run").symlink_to(sound.run)
    tables: dict[str, list[str]] = {}
    for path in dice.sample(FIELDS, dice.choice((1, 1, 2, 4))):
        tables.setdefault(".".join(path[:-1]), []).append(f"{path[-1]} = {a_value(dice)}")
    tables.setdefault("target", []).extend(
        line
        for line in ('ra = "20"', 'dec = "30"')
        if not any(one.startswith(line[:3]) for one in tables.get("target", []))
    )
    tables.setdefault("", []).append("workers = 1") if not any(
        "workers" in one for one in tables.get("", [])
    ) else None
    lines = tables.pop("")
    for name, own in tables.items():
        lines += [f"[{name}]", *own]
    (folder / "c.toml").write_text("\n".join(lines))
    words = list(dice.choices(*zip(*COMMANDS, strict=True))[0])
    return [*words, "--config", "c.toml"], "; ".join(one for one in lines if "=" in one)[:300]


def odd_planet(sound: Sound, dice: Dice, folder: Path) -> tuple[list[str], str]:
    (folder / "run").symlink_to(sound.run)
    kind = dice.choice(("toml", "toml", "toml", "json", "deep"))
    name = "p.toml" if kind == "toml" else "p.json"
    if kind == "toml":
        planet, star = dict(PLANET), dict(STAR)
        for _ in range(dice.choice((1, 1, 2, 3))):
            where = dice.choice((planet, planet, star))
            where[dice.choice(list(where))] = a_value(dice)
        write_planet(folder / name, planet, star)
    elif kind == "json":
        ra, period = a_value(dice), a_value(dice)
        own = f'{{"Target Star RA": {ra}, "Planet Name": [1], "Orbital Period (days)": {period}}}'
        (folder / name).write_text(f'{{"planetary_parameters": {own}}}')
    else:
        (folder / name).write_text(
            dice.choice(('{"a":' * 100_000, "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900))
        )
    words = dice.choice(
        (
            ("fit", "run/lightcurve.csv", "--out", "o", "--no-sample"),
            ("fit", "run", "--out", "o", "--no-sample"),
            ("plan", "night", "--offline"),
            ("run", "night", "--offline", "--no-sample", "--workers", "1", "--out", "o"),
        )
    )
    text = (folder / name).read_text()
    return [*words, "--planet", name], text.replace("\n", "; ")[:300]


def odd_run(sound: Sound, dice: Dice, folder: Path) -> tuple[list[str], str]:
    run = folder / "run"
    shutil.copytree(sound.run, run)
    told = []
    for _ in range(dice.choice((1, 1, 2))):
        path = run / dice.choice(
            (
                "run.toml",
                "run.toml",
                "lightcurve.csv",
                "lightcurve.csv",
                *sorted(p.name for p in run.iterdir() if p.is_file()),
            )
        )
        text = path.suffix in {".toml", ".csv", ".json"}
        steps = (
            (_toml_value, _toml_value, _dropped)
            if path.suffix == ".toml"
            else (_cells, _cells, _dropped)
            if path.suffix == ".csv"
            else (_deep, _toml_value)
        )
        step = dice.choice((*steps, _cut)) if text else dice.choice((_flip, _cut))
        told.append(f"{path.name}: {step(path, dice)}")
    return list(dice.choice(ON_RUNS)), "; ".join(told)


def _toml_value(path: Path, dice: Dice) -> str:
    lines = path.read_text().splitlines()
    at = [k for k, line in enumerate(lines) if re.match(r'\s*"?[\w-]+"?\s*[=:]', line)]
    if not at:
        return "nothing"
    # What is told of the night and its values stands behind the settings.
    night = [k for k in at if "[night]" in lines and k > lines.index("[night]")]
    k = dice.choice(night if night and dice.random() < 0.7 else at)
    sign = "=" if path.suffix == ".toml" else ":"
    lines[k] = f"{lines[k].split(sign)[0]}{sign} {a_value(dice)}" + ("," if sign == ":" else "")
    path.write_text("\n".join(lines))
    return lines[k][:80]


def _dropped(path: Path, dice: Dice) -> str:
    lines = path.read_text().splitlines()
    gone = lines.pop(dice.randrange(len(lines)))
    if dice.random() < 0.3:
        lines.insert(dice.randrange(len(lines) + 1), gone)
    path.write_text("\n".join(lines))
    return f"without {gone[:40]}"


def _cells(path: Path, dice: Dice) -> str:
    rows = [line.split(",") for line in path.read_text().splitlines()]
    column = dice.randrange(len(rows[0]))
    value = dice.choice((*NUMBERS, "", "x", "\x1b[31m", '"', "1,2", "-999", "99.999"))
    everywhere = dice.random() < 0.5
    for row in rows[1:] if everywhere else dice.sample(rows[1:], min(2, len(rows) - 1)):
        if column < len(row):
            row[column] = value
    if dice.random() < 0.2:
        rows[0][column] = dice.choice((rows[0][0], "", "x\x07"))
    path.write_text("\n".join(",".join(row) for row in rows))
    return f"{rows[0][column]} {value!r} {'everywhere' if everywhere else ''}"


def _deep(path: Path, dice: Dice) -> str:
    path.write_text(
        dice.choice(("[" * 200_000, '{"a":' * 200_000, "[" * 900 + "]" * 900, "1" * 5000))
    )
    return "deep"


def _flip(path: Path, dice: Dice) -> str:
    data = bytearray(path.read_bytes())
    for _ in range(dice.randrange(1, 40) if data else 0):
        data[dice.randrange(len(data))] = dice.randrange(256)
    path.write_bytes(data)
    return "flipped"


def _cut(path: Path, dice: Dice) -> str:
    os.truncate(path, int(path.stat().st_size * dice.random()))
    return "cut"
