"""Pan-STARRS1 mean photometry, grizy, north of declination -30."""

from __future__ import annotations

from lightcurve.catalogs.layout import Layout, Wanted
from lightcurve.catalogs.vizier import survey

SERVICE = survey(
    "panstarrs",
    "Pan-STARRS1",
    "Chambers et al. 2016, arXiv:1612.05560",
    "II/349/ps1",
    Layout(
        ids="objID",
        ra="RAJ2000",
        dec="DEJ2000",
        errors=("e_RAJ2000", "e_DEJ2000"),
        error_arcsec=0.02,
        epoch="Epoch",
        columns=(
            *(Wanted(f"{b}mag", f"{b}_mag", "mag", f"PS1 {b}, PSF, AB") for b in "grizy"),
            *(Wanted(f"e_{b}mag", f"{b}_mag_err", "mag", f"Error of PS1 {b}") for b in "grizy"),
            *(Wanted(f"{b}Kmag", f"{b}_kron_mag", "mag", f"PS1 {b}, Kron, AB") for b in "ri"),
            Wanted("Nd", "n_detections", "", "Detections in all bands"),
            Wanted("Qual", "quality", "", "Quality bits of the object"),
        ),
    ),
    where=(("rmag", "<", 21.5),),
    bright_first="rmag",
    bands={f"{b}_ps1": f"{b}_mag" for b in "grizy"},
    reach_deg=(-30.0, 90.0),
    saturation_mag=14.0,
)
