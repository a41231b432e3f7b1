"""Gaia DR3: positions, motions, G, BP and RP, and what says that a star is not a good standard."""

from __future__ import annotations

from dataclasses import replace

from lightcurve.catalogs.layout import Field, Layout, Role, Server, Service, Wanted
from lightcurve.catalogs.vizier import ask_later, cone, tap_route, vizier

NAMES = "gaia", "Gaia DR3"
SERVER = Server("gaia", "https://gea.esac.esa.int/tap-server/tap")
# Name here, at VizieR, at ESA; unit; description.
COLUMNS = (
    ("g_mag", "Gmag", "phot_g_mean_mag", "mag", "Gaia G, Vega"),
    ("bp_mag", "BPmag", "phot_bp_mean_mag", "mag", "Gaia BP, Vega"),
    ("rp_mag", "RPmag", "phot_rp_mean_mag", "mag", "Gaia RP, Vega"),
    ("g_mag_err", "e_Gmag", "g_mag_err", "mag", "Error of G, without that of its zero point"),
    ("bp_mag_err", "e_BPmag", "bp_mag_err", "mag", "Error of BP, without that of its zero point"),
    ("rp_mag_err", "e_RPmag", "rp_mag_err", "mag", "Error of RP, without that of its zero point"),
    ("ruwe", "RUWE", "ruwe", "", "Renormalised unit weight error of the astrometry"),
    ("parallax", "Plx", "parallax", "mas", "Parallax"),
    ("parallax_err", "e_Plx", "parallax_error", "mas", "Error of the parallax"),
    ("pm_ra", "pmRA", "pmra", "mas / yr", "Proper motion in right ascension times cos dec"),
    ("pm_dec", "pmDE", "pmdec", "mas / yr", "Proper motion in declination"),
)
VARIABLE = ("variable", "VarFlag", "phot_variable_flag", "", "VARIABLE where found to be so")


def _wanted(server: int) -> tuple[Wanted, ...]:
    """Give the columns in one server's spelling: 1 for VizieR, 2 for ESA."""
    plain = tuple(Wanted(c[server], c[0], c[3], c[4]) for c in COLUMNS)
    return (*plain, Wanted(VARIABLE[server], VARIABLE[0], "", VARIABLE[4], text=True))


VIZIER = Layout(
    ids="Source",
    ra="RA_ICRS",
    dec="DE_ICRS",
    errors=("e_RA_ICRS", "e_DE_ICRS"),
    error_unit="mas",
    error_arcsec=0.001,
    epoch=2016.0,
    motion=("pmRA", "pmDE"),
    columns=_wanted(1),
)

ESA = replace(
    VIZIER,
    ids="source_id",
    ra="ra",
    dec="dec",
    errors=("ra_error", "dec_error"),
    motion=("pmra", "pmdec"),
    columns=_wanted(2),
)


def _request(field: Field, max_rows: int) -> str:
    errors = {
        f"{b}_mag_err": f"1.0857362 / phot_{b}_mean_flux_over_error AS {b}_mag_err"
        for b in ("g", "bp", "rp")
    }
    chosen = ", ".join(errors.get(n, n) for n in ESA.names())
    where = cone(field, "ra", "dec")
    top = f"SELECT TOP {max_rows} {chosen} FROM gaiadr3.gaia_source"  # noqa: S608 -- no user text
    return f"{top} WHERE {where} ORDER BY phot_g_mean_mag"


AT_CDS, *AT_MIRRORS = vizier(NAMES, "I/355/gaiadr3", VIZIER, order="Gmag")
SERVICE = Service(
    *NAMES,
    "Gaia Collaboration, Vallenari et al. 2023, A&A 674, A1",
    Role.STARS,
    (
        AT_CDS,
        # Answers while one waits are cut at 2,000 rows there: the job's result is fetched later.
        tap_route(SERVER, _request, NAMES, ESA, ask_later),
        *AT_MIRRORS,
    ),
    VIZIER.columns,
    bands={"G": "g_mag", "BP": "bp_mag", "RP": "rp_mag"},
    saturation_mag=4.0,
    always=True,
    reference_frame=True,
)
