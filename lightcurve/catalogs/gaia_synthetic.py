"""Gaia synthetic photometry: Johnson-Kron-Cousins UBVRI and SDSS ugriz made of Gaia's spectra."""

from __future__ import annotations

from dataclasses import replace

from lightcurve.catalogs.gaia import ESA, SERVER
from lightcurve.catalogs.layout import Field, Role, Service, Wanted
from lightcurve.catalogs.vizier import ask_later, cone, tap_route

NAMES = "gaia_synthetic", "Gaia DR3 synthetic photometry"
# Of the star, from the main table.
STAR = (
    Wanted("phot_g_mean_mag", "g_mag", "mag", "Gaia G, Vega"),
    Wanted("bp_rp", "bp_rp", "mag", "Gaia BP - RP"),
    Wanted("ruwe", "ruwe", "", "Renormalised unit weight error of the astrometry"),
    Wanted("phot_variable_flag", "variable", "", "VARIABLE where found to be so", text=True),
)

BANDS = (
    *(("jkc", band, f"Johnson-Kron-Cousins {band.upper()}, Vega") for band in "ubvri"),
    *(("sdss", band, f"SDSS {band}, AB") for band in "ugriz"),
)


def _synthetic() -> tuple[Wanted, ...]:
    columns = [Wanted("c_star", "c_star", "", "Excess of BP and RP over G: 0 for a clean star")]
    for system, band, text in BANDS:
        name = f"{system}_{band}_mag"
        columns += [
            Wanted(f"{band}_{system}_mag", name, "mag", f"{text}, synthetic"),
            Wanted(f"{name}_err", f"{name}_err", "mag", f"Error of {text}"),
            Wanted(f"{band}_{system}_flag", f"{system}_{band}_ok", "", f"1 if {text} is sound"),
        ]
    return tuple(columns)


LAYOUT = replace(ESA, columns=(*STAR, *_synthetic()))


def _request(field: Field, max_rows: int) -> str:
    # The errors are given as those of the flux: sigma_m = 2.5 / ln 10 * sigma_F / F.
    errors = {
        f"{s}_{b}_mag_err": f"1.0857362 * s.{b}_{s}_flux_error / s.{b}_{s}_flux AS {s}_{b}_mag_err"
        for s, b, _ in BANDS
    }
    star = [f"g.{n}" for n in replace(ESA, columns=STAR).names()]
    synthetic = [errors.get(w.theirs, f"s.{w.theirs}") for w in _synthetic()]
    return (
        f"SELECT TOP {max_rows} {', '.join(star + synthetic)} "  # noqa: S608 -- no user text
        "FROM gaiadr3.gaia_source AS g "
        "JOIN gaiadr3.synthetic_photometry_gspc AS s ON s.source_id = g.source_id "
        f"WHERE {cone(field, 'g.ra', 'g.dec')} ORDER BY g.phot_g_mean_mag"
    )


SERVICE = Service(
    *NAMES,
    "Gaia Collaboration, Montegriffo et al. 2023, A&A 674, A33",
    Role.STARS,
    (tap_route(SERVER, _request, NAMES, LAYOUT, ask_later),),
    LAYOUT.columns,
    bands={
        **{b: f"jkc_{b.lower()}_mag" for b in "UBVRI"},
        **{f"{b}_sdss": f"sdss_{b}_mag" for b in "ugriz"},
    },
    saturation_mag=4.0,
)
