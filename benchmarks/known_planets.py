"""Make the table of known planets that comes with the package.

    python -m benchmarks.known_planets NASA.csv EXOCLOCK.csv --dates 2026-06-09 2026-06-23

NASA.csv is the NASA Exoplanet Archive's table of composite parameters, EXOCLOCK.csv ExoClock's list
of planets. `lightcurve planets refresh` makes the same of what both say today.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
from pathlib import Path
from typing import Any

from lightcurve.catalogs.exoplanet_archive import TITLE
from lightcurve.catalogs.known_planets import FILE, read_table, scale_error_days
from lightcurve.setup.planet_table import pack

THEIRS = {
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
    "g_mag": "gaia_g_mag",
}


def read(path: Path) -> list[dict[str, Any]]:
    """Read a table; an epoch that names no TDB gets the error of that."""
    with path.open(newline="") as file:
        return [_values(row) for row in csv.DictReader(file)]


def _values(row: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {
        ours: float(row[theirs]) if row.get(theirs) else None for ours, theirs in THEIRS.items()
    }
    if values["a_over_rs"] is None or values["inclination_deg"] is None:  # a duration stands in
        found = {"duration_hours": "duration_hours", "duration_hours_err": "duration_err_hours"}
        values |= {o: float(row[t]) if row.get(t) else None for o, t in found.items()}
    if doubt := scale_error_days(row["time_reference"]):
        values["t0_bjd_tdb_err"] = math.hypot(values["t0_bjd_tdb_err"] or 0.0, doubt)
    return {"name": row["planet_name"], "source": TITLE, **values}


def main() -> None:
    """Join both tables, and write them packed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nasa", type=Path)
    parser.add_argument("exoclock", type=Path)
    parser.add_argument("--dates", nargs=2, required=True)
    given = parser.parse_args()
    origin = f"{TITLE}, {given.dates[0]}; ExoClock, {given.dates[1]}"
    body = pack(read(given.nasa), read(given.exoclock), origin)
    FILE.write_bytes(gzip.compress(body, mtime=0))
    n = len(read_table(body, "shipped").planets)
    print(f"{n} planets, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
