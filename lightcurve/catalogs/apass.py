"""The AAVSO Photometric All-Sky Survey DR9: B, V and Sloan g, r, i of stars of 10 to 17 mag."""

from __future__ import annotations

from lightcurve.catalogs.layout import Layout, Wanted
from lightcurve.catalogs.vizier import survey

BANDS = (
    ("Bmag", "b_mag", "Johnson B, Vega"),
    ("Vmag", "v_mag", "Johnson V, Vega"),
    ("g'mag", "g_mag", "Sloan g', AB"),
    ("r'mag", "r_mag", "Sloan r', AB"),
    ("i'mag", "i_mag", "Sloan i', AB"),
)

SERVICE = survey(
    "apass",
    "APASS DR9",
    "Henden et al. 2016, VizieR II/336",
    "II/336/apass9",
    Layout(
        ids="recno",
        ra="RAJ2000",
        dec="DEJ2000",
        errors=("e_RAJ2000", "e_DEJ2000"),
        error_arcsec=0.1,
        # 2010 to 2014.
        epoch=2012.0,
        columns=(
            *(Wanted(theirs, ours, "mag", text) for theirs, ours, text in BANDS),
            *(
                Wanted(f"e_{t}", f"{ours}_err", "mag", f"Error of {text}")
                for t, ours, text in BANDS
            ),
            Wanted("nobs", "n_detections", "", "Nights observed"),
            Wanted("mobs", "n_images", "", "Images, all bands"),
        ),
    ),
    order="Vmag",
    bands={"B": "b_mag", "V": "v_mag", **{f"{b}_sdss": f"{b}_mag" for b in "gri"}},
    saturation_mag=9.5,
)
