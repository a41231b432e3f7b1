"""The Two Micron All Sky Survey: J, H and Ks."""

from __future__ import annotations

from lightcurve.catalogs.layout import Layout, Wanted
from lightcurve.catalogs.vizier import survey

SERVICE = survey(
    "twomass",
    "2MASS",
    "Skrutskie et al. 2006, AJ 131, 1163",
    "II/246/out",
    Layout(
        ids="2MASS",
        ra="RAJ2000",
        dec="DEJ2000",
        errors=("errMaj",),
        error_arcsec=0.06,
        # 1997 to 2001.
        epoch=1999.5,
        columns=(
            *(Wanted(f"{b}mag", f"{b.lower()}_mag", "mag", f"2MASS {b}, Vega") for b in "JHK"),
            *(
                Wanted(f"e_{b}mag", f"{b.lower()}_mag_err", "mag", f"Error of 2MASS {b}")
                for b in "JHK"
            ),
            Wanted("Qflg", "quality", "", "Quality of J, H and Ks: A is best", text=True),
        ),
    ),
    order="Jmag",
    bands={b: f"{b.lower()}_mag" for b in "JHK"},
    saturation_mag=5.0,
)
