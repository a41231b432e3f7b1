"""Nights of every kind, rendered two ways, reduced as a user's are, held against the truth.

    python -m benchmarks campaign [--ours 40] [--second 10] [--kinds clear flip ...] [--seed 1]
        [--jobs 2] [--out campaign] [--page docs/nights.md] [--sample]

Each night is frames on disk that go through `reduce_night`, but for the figures, in a process of a
pool; what came out is a line of OUT/nights.jsonl, so a campaign that was stopped goes on where it
was. The table of all nights there are is printed, written to OUT/table.md and OUT/table.json, and
with --page between the marks of that page. One night again, its folder kept:

    python -m benchmarks campaign --again second:flip:3 --out DIR

Each night's light curve stays in OUT/curves: all of them are fitted again, without frames, by

    python -m benchmarks campaign --refit --out DIR

which does not touch what the campaign found; its table is OUT/refit/table.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import pickle
import shutil
import signal
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nights import KINDS, draw_spec, render
from lightcurve.core.data import LightCurve, Planet, TransitFit

MARK = "<!-- campaign -->"
RENDERERS = ("ours", "second")
LONGEST_S = 300
A_ERROR, TILT_ERROR_DEG = 0.03, 0.4  # of the planet files that the renderer writes
CURVES = "curves"
SAME = {"transit at another time": "transit"}
FITTED = ("mid_time_bjd_tdb", "rp_over_rs", "duration_days")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One night of a campaign."""

    renderer: str
    kind: str
    number: int
    seed: int
    sample: bool

    @property
    def key(self) -> str:
        """Name it, for the file and for `--again`."""
        return f"{self.renderer}:{self.kind}:{self.number}"

    def rng(self) -> np.random.Generator:
        """Draw the same for the same night, whatever others there are."""
        return np.random.default_rng([self.seed, zlib.crc32(self.kind.encode()), self.number])

    def rng_of_planet(self) -> np.random.Generator:
        """Draw what is wrong with the planet file, whatever is drawn for the frames."""
        return np.random.default_rng([self.seed, zlib.crc32(self.key.encode())])


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What a fit of a night takes, and all else that came of the night."""

    row: Row
    curve: LightCurve
    planet: Planet
    exposure_s: float
    filter_name: str | None


def one_night(job: Job, folder: Path, keep: Path | None = None) -> Row:
    """Render a night, reduce it, and lay what came out beside the truth.

    keep: a file for what a fit takes.
    """
    rng = job.rng()
    truth = render(job.renderer, draw_spec(KINDS[job.kind], rng), folder / "raw", rng)
    mid = mid_bjd_tdb(truth)
    planet = folder / "planet.toml"
    planet.write_text(planet_file(truth, mid, job.rng_of_planet()))
    row: Row = {
        "key": job.key, "renderer": job.renderer, "kind": job.kind, "seed": job.seed,
        "frames": len(truth.lights), "limit": float(np.median(truth.limit)),
        "wanted": wanted(truth),
        "true": [mid, truth.spec.rp, truth.duration_days],
    }  # fmt: skip
    start = time.perf_counter()
    try:
        row |= reduced(folder, planet, truth, row, keep, sample=job.sample)
    except Exception as error:  # noqa: BLE001 - whatever stops a night is what is looked for
        words = str(error).strip().splitlines() or [""]
        row |= {"verdict": "failed", "reason": f"{type(error).__name__}: {words[0]}", "kept": 0}
    row["seconds"] = round(time.perf_counter() - start, 2)
    return row


def planet_file(truth, mid: float, rng: np.random.Generator) -> str:
    """Write a planet file that is wrong by its own errors: none of a planet is known better."""
    spec = truth.spec
    a, angle, ephemeris = rng.normal(size=3)
    a_over_rs = spec.a_over_rs * (1 + A_ERROR * a)
    tilt = np.arccos(spec.impact / spec.a_over_rs) + np.radians(TILT_ERROR_DEG) * angle
    wrong = replace(spec, a_over_rs=a_over_rs, impact=float(abs(a_over_rs * np.cos(tilt))))
    return replace(truth, spec=wrong).planet_toml(mid + spec.t0_err_days * ephemeris)


def mid_bjd_tdb(truth) -> float:
    """Mid-transit at the barycentre, by astropy."""
    import astropy.units as u
    from astropy.coordinates import EarthLocation, SkyCoord
    from astropy.time import Time

    s = truth.spec
    place = EarthLocation.from_geodetic(s.longitude_deg, s.latitude_deg, s.height_m)
    moment = Time(truth.transit_jd_utc, format="jd", scale="utc", location=place)
    star = SkyCoord(truth.ra_deg[0], truth.dec_deg[0], unit=u.deg)
    return float((moment.tdb + moment.light_travel_time(star, ephemeris="builtin")).jd)


def wanted(truth) -> str:
    """Say which verdict is right: a transit is whole if half of ingress and of egress is seen.

    So is what lies beyond each.
    """
    spec, half = truth.spec, truth.duration_days / 2
    if not half:
        return "no transit"
    inner = (1 - spec.rp) ** 2 - spec.impact**2
    total = half * np.sqrt(max(inner, 0.0) / ((1 + spec.rp) ** 2 - spec.impact**2))
    away = truth.mid_jd_utc - truth.transit_jd_utc
    due = (half - total) * 86400 / spec.cadence_s
    sides = [np.sum((side * away > total) & (side * away < half)) for side in (-1, 1)]
    beyond = away.min() < -half and away.max() > half
    return "transit" if beyond and min(sides) >= due / 2 else "partial transit"


def reduced(folder: Path, planet: Path, truth, row: Row, keep: Path | None, *, sample: bool) -> Row:
    """Reduce the night and measure what came of it; row: what is known of it."""
    from lightcurve import reduce_night

    night = reduce_night(
        folder / "raw", folder / "run", planet=planet, sample=sample, workers=1, offline=True,
        figures="none",  # half of a small night's time, and nobody would look at them
    )  # fmt: skip
    curve, fit = night.curve, night.fit
    by_file = {path.name: k for k, path in enumerate(truth.lights)}
    index = np.array([by_file[Path(str(name)).name] for name in curve.file])
    kept = np.isfinite(curve.flux) & ~refused(curve.flags)
    row = row | {"kept": int(kept.sum()), "flags": counted_flags(curve.flags)}
    if kept.sum() > 8:
        row |= scatters(curve, kept, truth, index)
    if keep is not None:
        known, used = night.scene.reference.exposure, night.target.planet
        kept_night = Kept(row, curve, used, known.exposure_s, known.filter)
        keep.write_bytes(pickle.dumps(kept_night))
    return row | fitted(fit)


def fitted(fit: TransitFit | None) -> Row:
    """Write down what a fit found."""
    if fit is None:
        return {"verdict": "failed", "reason": "no fit"}
    row: Row = {
        "verdict": fit.verdict.finding.value,
        "reason": fit.verdict.reason,
        "seen": fit.found,
    }
    row["found"] = {
        name: [p.value, (p.upper - p.lower) / 2]
        for name in FITTED
        if (p := fit.parameters.get(name)) is not None
    }
    row["covariates"] = list(fit.covariates)
    row["red_noise"] = fit.statistics["red_noise_over_white"]
    return row


def fitted_again(path: Path) -> Row:
    """Fit a kept night."""
    from lightcurve.core.settings import FitSettings
    from lightcurve.transit.fit import fit_transit

    kept: Kept = pickle.loads(path.read_bytes())  # noqa: S301 - the campaign wrote it
    start = time.perf_counter()
    fit = fit_transit(
        kept.curve, kept.planet, exposure_s=kept.exposure_s, filter_name=kept.filter_name,
        settings=FitSettings(sample=False),
    )  # fmt: skip
    return kept.row | fitted(fit) | {"seconds": round(time.perf_counter() - start, 2)}


def refit(curves: Path, lines: Path) -> None:
    """Fit all kept nights again, and write the table."""
    lines.parent.mkdir(exist_ok=True)
    logging.disable(logging.WARNING)
    rows = [fitted_again(path) for path in sorted(curves.glob("*.pickle"))]
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_tables(lines, None)


def refused(flags: np.ndarray) -> np.ndarray:
    """Tell the points (n,) that the fit does not take."""
    from lightcurve.core.flags import Flag

    return (flags & ~np.uint16(Flag.MENDED | Flag.PLATE_SOLVED | Flag.UNSURE)) != 0


def counted_flags(flags: np.ndarray) -> dict[str, int]:
    from lightcurve.core.flags import Flag

    return {str(f.name): n for f in Flag if (n := int(np.count_nonzero(flags & f)))}


def scatters(curve, kept: np.ndarray, truth, index: np.ndarray) -> Row:
    """Scatter of the points about the true light: point to point, and about a line, over errors."""
    ratio = (curve.flux / truth.flux[index])[kept]
    ratio /= np.median(ratio)
    t, air = curve.jd_utc[kept], truth.airmass[index][kept]
    terms = [np.ones(len(t)), t - t.mean(), air - air.mean()]
    if truth.spec.flip_at is not None:
        share = (t - truth.mid_jd_utc[0]) / np.ptp(truth.mid_jd_utc)
        terms.append((share >= truth.spec.flip_at) * 1.0)
    basis = np.column_stack(terms)
    rest = ratio - basis @ np.linalg.lstsq(basis, ratio, rcond=None)[0]
    freedom = len(t) - basis.shape[1]
    return {
        "scatter": float(np.std(np.diff(rest)) / np.sqrt(2)),
        "error": float(np.median(curve.flux_err[kept])),
        "pull": float(np.sqrt(np.sum((rest / curve.flux_err[kept]) ** 2) / freedom)),
    }


# All of them


def in_child(job: Job, curves: Path) -> Row:
    """Do a night in a folder that vanishes with it, and not for ever; its curve is kept."""
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"campaign-{os.getpid()}"  # noqa: S108
    shutil.rmtree(folder, ignore_errors=True)
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LONGEST_S)
    try:
        return one_night(job, folder, curves / f"{job.key.replace(':', '-')}.pickle")
    finally:
        signal.alarm(0)
        shutil.rmtree(folder, ignore_errors=True)


def _too_long(*_: object) -> None:
    msg = f"not done in {LONGEST_S} s"
    raise TimeoutError(msg)


def run(jobs: Sequence[Job], lines: Path, workers: int) -> None:
    """Do the nights that are not there yet, and write each as it comes."""
    curves = lines.parent / CURVES
    curves.mkdir(exist_ok=True)
    there = {row["key"] for row in read(lines)}
    left = [job for job in jobs if job.key not in there]
    start = time.perf_counter()
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # each child has one core
    context = multiprocessing.get_context("spawn")
    # Children that end after some tasks, all at once, are not replaced (Python 3.11): none do.
    pool = ProcessPoolExecutor(workers, mp_context=context)
    with pool, lines.open("a") as file:
        file.write("\n")  # after a line that was cut short
        for n, done in enumerate(
            as_completed([pool.submit(in_child, job, curves) for job in left]), 1
        ):
            row = done.result()
            file.write(json.dumps(row) + "\n")
            file.flush()
            spent = time.perf_counter() - start
            told = f"{row['key']}: {row['verdict']} ({row['kept']} of {row['frames']} frames)"
            ahead = spent / n * (len(left) - n) / 60
            print(f"[{n}/{len(left)}, {ahead:.0f} min left] {told}", file=sys.stderr, flush=True)


def read(lines: Path) -> list[Row]:
    """Read the nights that were done; a line cut short by an interruption is none."""
    text = lines.read_text() if lines.is_file() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


# The table


def summary(rows: Sequence[Row]) -> Row:
    """Sum the nights of one kind and renderer up."""
    seen = [r for r in rows if r.get("seen") and r.get("found") and r["wanted"] != "no transit"]
    told: Row = {
        "nights": len(rows),
        "lost": 1 - sum(r["kept"] for r in rows) / max(sum(r["frames"] for r in rows), 1),
        "over_limit": _middle(r["scatter"] / r["limit"] for r in rows if "scatter" in r),
        "over_error": _middle(r["pull"] for r in rows if "pull" in r),
        "verdicts": dict(Counter(r["verdict"] for r in rows).most_common()),
        "right": sum(SAME.get(r["verdict"], r["verdict"]) == r["wanted"] for r in rows),
        "seconds": _middle(r["seconds"] for r in rows),
    }
    for k, name in enumerate(FITTED):
        pairs = [(r["found"][name], r["true"][k]) for r in seen if name in r["found"]]
        off = np.array([value - true for (value, _), true in pairs])
        error = np.array([e for (_, e), _ in pairs])
        unit = np.array([true for _, true in pairs]) / 100 if k else np.full(len(off), 1 / 86400)
        told[name] = {
            "bias": _mean(off / unit),
            "pull": _mean(off / error),
            "width": _width(off / error),
        }
    return told


def _middle(values: Iterable[float]) -> float | None:
    values = [v for v in values if v is not None and np.isfinite(v)]
    return float(np.median(values)) if values else None


def _mean(values: np.ndarray) -> list[float] | None:
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    spread = (
        float(np.std(values, ddof=1) / np.sqrt(values.size)) if values.size > 1 else float("nan")
    )
    return [float(values.mean()), spread]


def _width(values: np.ndarray) -> float | None:
    values = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(values**2))) if values.size > 1 else None


HEAD = (
    "kind", "by", "nights", "lost", "mid-time, s", "pull", "Rp/R*, %", "pull", "duration, %",
    "pull", "scatter / limit", "scatter / error", "right", "verdicts",
)  # fmt: skip


def markdown(sums: dict[tuple[str, str], Row]) -> str:
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for (kind, renderer), s in sums.items():
        cells = [kind, renderer, str(s["nights"]), f"{100 * s['lost']:.1f} %"]
        for name in FITTED:
            one = s[name]
            cells.append("{:+.1f} ± {:.1f}".format(*one["bias"]) if one["bias"] else "")
            cells.append("" if one["width"] is None else f"{one['width']:.2f}")
        cells += ["" if s[n] is None else f"{s[n]:.2f}" for n in ("over_limit", "over_error")]
        cells.append(f"{s['right']}/{s['nights']}")
        cells.append(", ".join(f"{n} {verdict}" for verdict, n in s["verdicts"].items()))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines).replace("nan", "-")


def write_tables(lines: Path, page: Path | None) -> None:
    """Print and write the table of all nights that there are."""
    rows = read(lines)
    groups = {
        (k, r): [x for x in rows if (x["kind"], x["renderer"]) == (k, r)]
        for k in KINDS
        for r in RENDERERS
    }
    sums = {key: summary(group) for key, group in groups.items() if group}
    table = markdown(sums)
    print(table)
    (lines.parent / "table.md").write_text(table + "\n")
    told = [{"kind": k, "renderer": r, **s} for (k, r), s in sums.items()]
    (lines.parent / "table.json").write_text(json.dumps(told, indent=1) + "\n")
    if page:
        before, _, after = page.read_text().split(MARK)
        counts = {
            r: sorted({s["nights"] for (_, by), s in sums.items() if by == r}) for r in RENDERERS
        }
        nights = "; ".join(
            f"{r}: {n[0]}" + (f" to {n[-1]}" if n[-1] != n[0] else "")
            for r, n in counts.items()
            if n
        )
        kinds = "\n".join(f"| {name} | {kind.words} |" for name, kind in KINDS.items())
        page.write_text(
            f"{before}{MARK}\nNights of each kind: {nights}.\n\n{table}\n\n"
            f"| kind | what it is |\n|---|---|\n{kinds}\n{MARK}{after}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks campaign", description=__doc__)
    parser.add_argument("--ours", type=int, default=0, help="nights of each kind by our simulator")
    parser.add_argument("--second", type=int, default=0, help="by the renderer of the tests")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("campaign"))
    parser.add_argument("--page", type=Path, help="page that the table goes into")
    parser.add_argument("--sample", action="store_true", help="sample each fit, not least squares")
    parser.add_argument("--refit", action="store_true", help="fit the kept light curves again")
    parser.add_argument("--again", help="RENDERER:KIND:NUMBER, one night, its folder kept")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.again:
        renderer, kind, number = options.again.split(":")
        job = Job(renderer, kind, int(number), options.seed, options.sample)
        folder = options.out / options.again.replace(":", "-")
        shutil.rmtree(folder, ignore_errors=True)
        print(json.dumps(one_night(job, folder), indent=1))
        print(f"its frames and run are in {folder}")
        return
    if options.refit:
        refit(options.out / CURVES, options.out / "refit" / "nights.jsonl")
        return
    counts = {"ours": options.ours, "second": options.second}
    jobs = [
        Job(renderer, kind, number, options.seed, options.sample)
        for number in range(max(counts.values()))
        for kind in options.kinds
        for renderer in RENDERERS
        if number < counts[renderer]
    ]
    lines = options.out / "nights.jsonl"
    if jobs:
        run(jobs, lines, options.jobs)
    write_tables(lines, options.page)


if __name__ == "__main__":
    main()
