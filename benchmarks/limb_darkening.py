"""Make the table of limb darkening that comes with the package.

    python -m benchmarks.limb_darkening g_Claret2011.fits g_Claret2004.fits [--check power2.dat]

Both FITS files are grids of the coefficients of the four-parameter law of ATLAS model atmospheres,
as the package ellc (Maxted 2016) has them: Claret & Bloemen 2011 (A&A 529, A75; microturbulence
2 km/s) for UBVRIJHK and Kepler, Claret 2004 (A&A 428, 1001) for SDSS u'g'r'i'z'. The intensities
that they stand for are fitted here by the quadratic law. A cell that the models do not reach has
the coefficients of the nearest surface gravity.

``--check`` prints how far another set of models lies from it: the power-2 law of the 3D models
STAGGER (Maxted 2018, A&A 616, A39), as the package pycheops has it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from astropy.io import fits

from lightcurve.transit.limb_darkening import FILE, LimbTable, fit_quadratic, to_kipping

BANDS = {
    "U": "U", "B": "B", "V": "V", "R": "R", "I": "I", "J": "J", "H": "H", "K": "K", "Kp": "Kepler",
    "u_": "up", "g_": "gp", "r_": "rp", "i_": "ip", "z_": "zp",
}  # fmt: skip
TEFF = np.array([*range(3500, 10001, 250), 10500, 11000, 12000], dtype=float)
LOGG = np.arange(2.0, 5.01, 0.5)
FEH = np.array([-2.5, -1.5, -1.0, -0.5, -0.2, 0.0, 0.2, 0.5])
MU = np.linspace(0.05, 1.0, 60)
UNIT = 1e-4
STAGGER = {"U", "B", "V", "R", "I", "u_", "g_", "r_", "i_", "z_"}


def read(path: Path) -> dict[str, np.ndarray]:
    """Read the four coefficients of each band, (feh, logg, teff, 4)."""
    with fits.open(path) as held:
        axes = [held[k].data.astype(float) for k in (1, 2, 3)]
        names = [str(row[0]).strip() for row in held[4].data]
        grid = held[0].data[:, -4:].astype(float)
    teff, logg, feh = axes
    teff = 10**teff if teff.max() < 10 else teff
    picked = [
        [int(np.argmin(np.abs(axis - value))) for value in wanted]
        for axis, wanted in ((feh, FEH), (logg, LOGG), (teff, TEFF))
    ]
    cells = grid[np.ix_(range(len(names)), range(4), *picked)]
    return {
        BANDS[name]: np.moveaxis(cells[k], 0, -1) for k, name in enumerate(names) if name in BANDS
    }


def quadratic(four: np.ndarray) -> np.ndarray:
    """Fit the quadratic law to the four-parameter one, (..., 4) to (..., 2); NaN where it is."""
    powers = np.array([1 - MU ** (k / 2) for k in (1, 2, 3, 4)])
    known = np.isfinite(four).all(axis=-1)
    found = np.full((*four.shape[:-1], 2), np.nan)
    found[known] = [fit_quadratic(MU, row @ powers) for row in four[known]]
    return found


def fill(cells: np.ndarray) -> np.ndarray:
    """Give a cell without models, of (feh, logg, teff, 2), what the nearest gravity has."""
    filled = cells.copy()
    for i, j, k in np.argwhere(np.isnan(cells[..., 0])):
        known = np.flatnonzero(np.isfinite(cells[i, :, k, 0]))
        filled[i, j, k] = cells[i, known[np.argmin(np.abs(known - j))], k]
    return filled


def check(path: Path, table: LimbTable) -> None:
    """Print how far the 3D models lie from the table, in Kipping's coefficients."""
    rows = [line.split() for line in path.read_text().splitlines()]
    for name in sorted(STAGGER):
        off = []
        for band, *numbers in rows:
            teff, logg, feh, c, alpha = map(float, numbers[:5])
            if band != name or not (4500 <= teff <= 7000 and logg >= 3.5 and feh >= -1):
                continue
            theirs = to_kipping(*fit_quadratic(MU, c * (1 - MU**alpha)))
            ours = to_kipping(*table.quadratic({BANDS[name]: 1.0}, teff, logg, feh))
            off.append(theirs - ours)
        mean, width = np.mean(off, axis=0), np.std(off, axis=0)
        told = [f"{m:+.3f} +- {w:.3f}" for m, w in zip(mean, width, strict=True)]
        print(f"{BANDS[name]:3} {len(off):3} stars: q1 {told[0]}, q2 {told[1]}")


def main() -> None:
    """Write the table, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("grids", nargs="+", type=Path)
    parser.add_argument("--check", type=Path)
    asked = parser.parse_args()
    bands: dict[str, np.ndarray] = {}
    for path in asked.grids:
        bands |= {name: fill(quadratic(four)) for name, four in read(path).items()}
    names = sorted(bands)
    cells = np.rint(np.array([bands[name] for name in names]) / UNIT).astype(np.int16)
    with FILE.open("wb") as file:
        np.savez_compressed(
            file, bands=np.array(names), feh=FEH, logg=LOGG, teff=TEFF, cells=cells, unit=UNIT
        )
    print(f"{FILE}: {cells.shape}, {FILE.stat().st_size} bytes")
    if asked.check:
        from lightcurve.transit.limb_darkening import the_table

        check(asked.check, the_table())


if __name__ == "__main__":
    main()
