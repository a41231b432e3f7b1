"""Make the table of known planets that comes with the package.

    python -m benchmarks.known_planets NASA.csv EXOCLOCK.csv --dates 2026-06-09 2026-06-23

NASA.csv is the NASA Exoplanet Archive's table of composite parameters, EXOCLOCK.csv ExoClock's list
of planets, whose ephemerides are the newer ones and all in BJD_TDB. Values that cannot be are left
out, and so is a planet without one that a transit needs.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import math
from pathlib import Path

from lightcurve.catalogs.known_planets import COLUMNS, FILE, key_of, scale_error_days
from lightcurve.transit.ephemeris import LIMITS, REQUIRED

THEIRS = {
    "name": "planet_name",
    "ra": "ra_deg",
    "dec": "dec_deg",
    "period_days": "period_days",
    "period_days_err": "period_err_days",
    "t0_bjd_tdb": "t0_bjd_tdb",
    "t0_bjd_tdb_err": "t0_err_days",
    "rp_over_rs": "rp_rs",
    "rp_over_rs_err": "rp_rs_err",
    "a_over_rs": "a_rs",
    "a_over_rs_err": "a_rs_err",
    "inclination_deg": "inclination_deg",
    "inclination_deg_err": "inclination_err_deg",
    "eccentricity": "ecc",
    "omega_deg": "omega_deg",
    "teff_k": "stellar_teff_k",
    "logg": "stellar_logg",
    "feh": "stellar_feh",
}
EPHEMERIS = ("period_days", "period_days_err", "t0_bjd_tdb", "t0_bjd_tdb_err")
DIGITS = {"t0_bjd_tdb": 6, "period_days": 9, "ra": 5, "dec": 5}


def read(path: Path) -> dict[str, dict[str, str]]:
    """Read a table, by planet."""
    with path.open(newline="") as file:
        return {key_of(row["planet_name"]): row for row in csv.DictReader(file)}


def number(name: str, text: str) -> float | None:
    """Read a value; None where there is none, or one that cannot be."""
    value = float(text) if text else math.nan
    low, high = LIMITS.get(name.removesuffix("_err"), (-90.0, 360.0))
    if name.endswith("_err"):
        low, high = 0.0, high - low
    return value if low <= value <= high else None


def values_of(row: dict[str, str]) -> dict[str, float | None]:
    """Take what a planet file holds; an epoch that names no TDB gets the error of that."""
    values = {ours: number(ours, row[theirs]) for ours, theirs in THEIRS.items() if ours != "name"}
    doubt = scale_error_days(row["time_reference"])
    if doubt:
        values["t0_bjd_tdb_err"] = math.hypot(values["t0_bjd_tdb_err"] or 0.0, doubt)
    return values


def shown(name: str, value: float | None) -> str:
    """Write a number as short as it is known."""
    if value is None:
        return ""
    return f"{value:.{DIGITS[name]}f}".rstrip("0") if name in DIGITS else f"{value:.4g}"


def main() -> None:
    """Join both tables, and write them packed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nasa", type=Path)
    parser.add_argument("exoclock", type=Path)
    parser.add_argument("--dates", nargs=2, required=True)
    given = parser.parse_args()
    text = io.StringIO()
    text.write(f"# NASA Exoplanet Archive, {given.dates[0]}; ExoClock, {given.dates[1]}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    newer = read(given.exoclock)
    n = 0
    for key, row in sorted(read(given.nasa).items()):
        values, source = values_of(row), "N"
        if key in newer:
            clock = values_of(newer[key])
            if clock["t0_bjd_tdb"] and clock["period_days"]:
                values, source = {**values, **{name: clock[name] for name in EPHEMERIS}}, "E"
        if any(values[name] is None for name in REQUIRED if name != "name"):
            continue
        cells = [shown(name, values[name]) for name in COLUMNS[1:-1]]
        writer.writerow([row["planet_name"], *cells, source])
        n += 1
    FILE.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    print(f"{n} planets, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
