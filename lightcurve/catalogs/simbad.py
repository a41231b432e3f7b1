"""SIMBAD: what is known of an object, whatever it is."""

from __future__ import annotations

from lightcurve.catalogs.layout import Catalog, Field, Layout, Role, Route, Service, Wanted
from lightcurve.catalogs.vizier import ask, cone, read_rows

NAME, TITLE = "simbad", "SIMBAD"
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


def _read(body: bytes, field: Field) -> Catalog:
    return read_rows(body, LAYOUT, NAME, TITLE, field)


SERVICE = Service(
    NAME,
    TITLE,
    "Wenger et al. 2000, A&AS 143, 9",
    Role.OBJECTS,
    (Route("simbad", _request, ask, _read),),
    LAYOUT.columns,
    weight=5,
)
