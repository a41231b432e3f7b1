"""SIMBAD: what is known of an object, whatever it is."""

from __future__ import annotations

from lightcurve.catalogs.layout import Field, Layout, Role, Server, Service, Wanted
from lightcurve.catalogs.vizier import cone, tap_route

NAMES = "simbad", "SIMBAD"
SERVER = Server("simbad", "https://simbad.cds.unistra.fr/simbad/sim-tap")
LAYOUT = Layout(
    ids="main_id",
    ra="ra",
    dec="dec",
    errors=("coo_err_maj", "coo_err_min"),
    error_unit="mas",
    error_arcsec=0.01,
    # SIMBAD refers all its positions to 2000, whatever the epoch of their source.
    epoch=2000.0,
    motion=("pmra", "pmdec"),
    columns=(
        Wanted("otype", "type", "", "Type of object, SIMBAD's short form", text=True),
        Wanted("sp_type", "spectral_type", "", "Spectral type", text=True),
        Wanted("B", "b_mag", "mag", "B, Vega, as collected"),
        Wanted("V", "v_mag", "mag", "V, Vega, as collected"),
        Wanted("rvz_redshift", "redshift", "", "Redshift"),
    ),
)
FLUXES = {"B", "V"}


def _request(field: Field, max_rows: int) -> str:
    chosen = ", ".join(f"{'f' if n in FLUXES else 'b'}.{n}" for n in LAYOUT.names())
    return (
        f"SELECT TOP {max_rows} {chosen} FROM basic AS b "  # noqa: S608 -- no user text
        f"LEFT JOIN allfluxes AS f ON f.oidref = b.oid WHERE {cone(field, 'b.ra', 'b.dec')}"
    )


SERVICE = Service(
    *NAMES,
    "Wenger et al. 2000, A&AS 143, 9",
    Role.OBJECTS,
    (tap_route(SERVER, _request, NAMES, LAYOUT),),
    LAYOUT.columns,
    weight=5,
)
