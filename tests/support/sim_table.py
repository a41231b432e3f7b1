"""A table of AstroImageJ's for simulated frames, measured by the rules that a test wants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io import fits

from lightcurve.aij.photometry import AijRecipe, measure_aij
from lightcurve.phot.noise import NoiseModel


def simulated_table(folder: Path, recipe: AijRecipe) -> Path:
    """Frames of three stars, and a table of them with AstroImageJ's names."""
    rng = np.random.default_rng(8)
    rows, columns = np.indices((90, 100))
    x, y = np.array([28.3, 70.8, 45.1]), np.array([30.7, 41.2, 66.4])
    aside = 0.3 if recipe.centroid == "none" else 0.0
    stars, lines = ("T1", "C2", "C3"), []
    for k in range(4):
        image = 300 + 0.2 * columns + rng.normal(0, 5, rows.shape)
        for star in range(3):
            r2 = (columns - x[star] - 0.3 * k) ** 2 + (rows - y[star]) ** 2
            image += (4000 + 3000 * star) * np.exp(-r2 / (2 * (1.5 + 0.1 * k) ** 2))
        pixels = np.rint(image).astype(np.int16)
        fits.writeto(folder / f"f{k}.fits", pixels)
        found = measure_aij(
            pixels, x + 0.3 * k + aside, y, replace(recipe, noise=NoiseModel(1.5, 7.0))
        )
        row = {"Label": f"f{k}.fits", "Source_Radius": found.radius}
        if recipe.fwhm_factor:
            row |= {"FWHM_Mult": recipe.fwhm_factor, "Source_Rad(base)": recipe.radius}
        row |= dict(zip(("Sky_Rad(min)", "Sky_Rad(max)"), recipe.annulus, strict=True))
        for name, values in found.columns().items():
            row |= {f"{name}_{s}": v for s, v in zip(stars, values, strict=True)}
        lines.append(row)
    text = ["\t".join(lines[0])] + ["\t".join(map(str, line.values())) for line in lines]
    path = folder / "Measurements.tbl"
    path.write_text("\n".join(text) + "\n")
    return path
