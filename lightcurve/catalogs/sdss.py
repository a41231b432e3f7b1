"""SDSS DR16 photometry, ugriz, where the survey looked."""

from __future__ import annotations

from lightcurve.catalogs.layout import Layout, Wanted
from lightcurve.catalogs.vizier import survey

SERVICE = survey(
    "sdss",
    "SDSS DR16",
    "Ahumada et al. 2020, ApJS 249, 3",
    "V/154/sdss16",
    Layout(
        ids="objID",
        ra="RA_ICRS",
        dec="DE_ICRS",
        errors=("e_RA_ICRS", "e_DE_ICRS"),
        error_arcsec=0.03,
        epoch="ObsDate",
        columns=(
            # A model magnitude is fitted as a galaxy's: for stars the PSF's is the better one.
            *(Wanted(f"{b}pmag", f"{b}_mag", "mag", f"SDSS {b}, PSF, AB") for b in "ugriz"),
            *(Wanted(f"e_{b}pmag", f"{b}_mag_err", "mag", f"Error of SDSS {b}") for b in "ugriz"),
            Wanted("class", "class", "", "6 for a star, 3 for a galaxy"),
            Wanted("clean", "clean", "", "1 for clean photometry"),
        ),
    ),
    where=(("mode", "=", 1), ("rmag", "<", 21.5)),
    bright_first="rmag",
    bands={f"{b}_sdss": f"{b}_mag" for b in "ugriz"},
    reach_deg=(-20.0, 90.0),
    saturation_mag=14.5,
)
