"""The 10-parsec sample: all stars, brown dwarfs and planets known within 10 pc."""

from __future__ import annotations

from lightcurve.catalogs.layout import Field, Layout, Role, Service, Wanted
from lightcurve.catalogs.vizier import SERVER, tap_route

NAMES = "tenparsec", "10-parsec sample"
LAYOUT = Layout(
    ids="ObjName",
    ra="RA_ICRS|RAdeg|RAJ2000",
    dec="DE_ICRS|DEdeg|DEJ2000",
    error_arcsec=0.1,
    epoch="Epoch",
    motion=("pmRA", "pmDE"),
    columns=(
        Wanted("Name", "system", "", "Name of the system", text=True),
        Wanted("ObjType", "type", "", "* star, LM low mass, BD, WD, Planet", text=True),
        Wanted("SpType", "spectral_type", "", "Spectral type", text=True),
        Wanted("plx", "parallax", "mas", "Parallax"),
        Wanted("Gmag", "g_mag", "mag", "Gaia G, Vega"),
        Wanted("GBPmag", "bp_mag", "mag", "Gaia BP, Vega"),
        Wanted("GRPmag", "rp_mag", "mag", "Gaia RP, Vega"),
    ),
)
TABLE = "J/A+A/650/A201/tablea1"


def _request(_field: Field, _max_rows: int) -> str:
    # All 562: such stars move by up to 10 arc seconds a year, out of any cone at another epoch,
    # and the whole table is one question for ever.
    return f'SELECT TOP 2000 * FROM "{TABLE}"'  # noqa: S608 -- no user text


SERVICE = Service(
    *NAMES,
    "Reyle et al. 2021, A&A 650, A201",
    Role.OBJECTS,
    (tap_route(SERVER, _request, NAMES, LAYOUT),),
    LAYOUT.columns,
    weight=4,
)
