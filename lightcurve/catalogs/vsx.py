"""The AAVSO's International Variable Star Index."""

from __future__ import annotations

from lightcurve.catalogs.layout import Layout, Role, Wanted
from lightcurve.catalogs.vizier import survey

SERVICE = survey(
    "vsx",
    "AAVSO VSX",
    "Watson, Henden & Price 2006, SASS 25, 47",
    "B/vsx/vsx",
    Layout(
        ids="Name",
        ra="RAJ2000",
        dec="DEJ2000",
        # Positions come from many places; most are good to a second of arc.
        error_arcsec=1.0,
        epoch=2000.0,
        columns=(
            Wanted("Type", "type", "", "Kind of variability", text=True),
            Wanted("Period", "period", "d", "Period"),
            Wanted("max", "max_mag", "mag", "Magnitude at maximum"),
            Wanted("n_max", "max_band", "", "Band of the magnitude at maximum", text=True),
            Wanted("min", "min_mag", "mag", "Magnitude at minimum, or amplitude"),
            Wanted("f_min", "min_flag", "", "( where the minimum is an amplitude", text=True),
            Wanted("V", "variable", "", "0 variable, 1 suspected, 2 not variable, 3 duplicate"),
            Wanted("OID", "oid", "", "Number in the index"),
        ),
    ),
    role=Role.OBJECTS,
    weight=2,
)
