"""Milliquas: the Million Quasars catalogue, version 8."""

from __future__ import annotations

from lightcurve.catalogs.layout import Layout, Role, Wanted
from lightcurve.catalogs.vizier import survey

SERVICE = survey(
    "milliquas",
    "Milliquas v8",
    "Flesch 2023, OJAp 6, 49",
    "VII/294/catalog",
    Layout(
        ids="Name",
        ra="RAJ2000",
        dec="DEJ2000",
        error_arcsec=0.5,
        epoch=2016.0,
        still=True,
        columns=(
            Wanted("Type", "type", "", "Q quasar, A active galaxy, B BL Lac ...", text=True),
            Wanted("z", "redshift", "", "Redshift"),
            Wanted("Rmag", "red_mag", "mag", "Red magnitude"),
            Wanted("Bmag", "blue_mag", "mag", "Blue magnitude"),
            Wanted("Qpct", "quasar_percent", "%", "Chance that it is a quasar"),
        ),
    ),
    role=Role.OBJECTS,
    weight=3,
)
