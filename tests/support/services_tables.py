"""The EY UMa extracts in the shape of the tables that the services keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

CENTRE = (135.5509, 49.8429)
SIMBAD_ROWS = 12


def ey_uma_tables(shared: Path) -> dict[str, Table]:
    """Name at the service to table."""
    folder = shared / "ey-uma"
    ref = Table.read(folder / "all_refcat2_ey_uma.ecsv")
    apass = Table.read(folder / "all_apass_ey_uma.ecsv")
    vsx = Table.read(folder / "unclipped_ey_uma_vsx.fits")
    n = len(ref)
    plain = {name: ref[name] for name in ("RA_ICRS", "DE_ICRS", "pmRA", "pmDE", "Plx", "e_Plx")}
    magnitudes = {f"{b}mag": ref[f"{b}mag"] for b in ("G", "BP", "RP")}
    errors = {f"e_{name}": ref[f"e_{name}"] for name in magnitudes}
    vizier = Table({"Source": ref["id"], **plain, **magnitudes, **errors})
    vizier["e_RA_ICRS"], vizier["e_DE_ICRS"] = np.full(n, 0.05), np.full(n, 0.04)
    vizier["e_RA_ICRS"].unit = vizier["e_DE_ICRS"].unit = "mas"
    vizier["RUWE"] = np.where(ref["dupvar"] > 1, 1.9, 1.02)
    vizier["VarFlag"] = np.where(np.arange(n) % 50 == 7, "VARIABLE", "NOT_AVAILABLE")
    ps1 = Table({"objID": ref["id"], "RAJ2000": ref["RA_ICRS"], "DEJ2000": ref["DE_ICRS"]})
    for b in "griz":
        ps1[f"{b}mag"], ps1[f"e_{b}mag"] = ref[f"{b}mag"], ref[f"e_{b}mag"]
    ps1["ymag"], ps1["e_ymag"] = ref["zmag"] - 0.05, ref["e_zmag"]
    ps1["rKmag"], ps1["iKmag"] = ref["rmag"] + 0.01, ref["imag"] + 0.01
    ps1["Nd"], ps1["Qual"], ps1["Epoch"] = np.full(n, 60), np.full(n, 52), np.full(n, 56000.0)
    ps1["e_RAJ2000"], ps1["e_DEJ2000"] = np.full(n, 0.004), np.full(n, 0.005)
    ps1["e_RAJ2000"].unit = ps1["e_DEJ2000"].unit = "arcsec"
    mass = Table({"2MASS": [f"J{i:06d}" for i in range(n)]})
    mass["RAJ2000"], mass["DEJ2000"] = ref["RA_ICRS"], ref["DE_ICRS"]
    for b in "JHK":
        mass[f"{b}mag"], mass[f"e_{b}mag"] = ref[f"{b}mag"], ref[f"e_{b}mag"]
    mass["errMaj"], mass["Qflg"] = np.full(n, 0.07), np.full(n, "AAA")
    apass["recno"] = np.arange(len(apass)) + 1
    stars = Table({"Name": vsx["id"], "RAJ2000": vsx["ra"], "DEJ2000": vsx["dec"]})
    stars["max"] = vsx["mag"]
    for name in ("OID", "V", "Type", "min", "n_min", "Period"):
        stars[name] = vsx[name]
    stars["n_max"], stars["f_min"] = vsx["passband"], vsx["f_min"]
    return {
        "I/355/gaiadr3": vizier,
        "II/349/ps1": ps1,
        "II/246/out": mass,
        "II/336/apass9": apass,
        "B/vsx/vsx": stars,
        "II/379/smssdr4": _southern(ref),
        "V/154/sdss16": _sloan(ref),
        "VII/294/catalog": _quasars(),
        "J/A+A/650/A201/tablea1": _near_stars(),
        "gaiadr3.gaia_source": _esa(vizier),
        "basic": _simbad(vizier),
    }


def _southern(ref: Table) -> Table:
    """Write the stars as SkyMapper would, had it looked there."""
    n = len(ref)
    table = Table({"ObjectId": np.arange(n), "RAICRS": ref["RA_ICRS"], "DEICRS": ref["DE_ICRS"]})
    for b, source in zip("uvgriz", "gggriz", strict=True):
        table[f"{b}PSF"], table[f"e_{b}PSF"] = ref[f"{source}mag"], ref[f"e_{source}mag"]
    table["e_RAICRS"], table["e_DEICRS"] = np.full(n, 0.08), np.full(n, 0.09)
    table["EpMean"], table["Ngood"] = np.full(n, 57388.5), np.full(n, 20)
    table["ClassStar"], table["flags"] = np.full(n, 0.98), np.zeros(n, dtype=int)
    return table


def _sloan(ref: Table) -> Table:
    n = len(ref)
    table = Table({"objID": np.arange(n), "RA_ICRS": ref["RA_ICRS"], "DE_ICRS": ref["DE_ICRS"]})
    for b, source in zip("ugriz", "ggriz", strict=True):
        table[f"{b}pmag"], table[f"e_{b}pmag"] = ref[f"{source}mag"], ref[f"e_{source}mag"]
        # Model magnitudes, which are not to be taken for a star's.
        table[f"{b}mag"], table[f"e_{b}mag"] = ref[f"{source}mag"] + 0.3, ref[f"e_{source}mag"]
    table["e_RA_ICRS"], table["e_DE_ICRS"] = np.full(n, 0.01), np.full(n, 0.01)
    table["ObsDate"], table["class"] = np.full(n, 2004.5), np.full(n, 6)
    table["clean"] = np.ones(n, dtype=int)
    return table


def _quasars() -> Table:
    return Table(
        {
            "Name": ["SDSS J090212.2+495034"],
            "RAJ2000": [CENTRE[0] + 0.01],
            "DEJ2000": [CENTRE[1]],
            "Type": ["Q"],
            "z": [1.25],
            "Rmag": [19.1],
            "Bmag": [19.6],
            "Qpct": [100],
        }
    )


def _near_stars() -> Table:
    """Barnard's star where Gaia saw it, and one in the field with a large motion."""
    return Table(
        {
            "Name": ["Barnard", "Near"],
            "ObjName": ["Barnard's star", "Near A"],
            "ObjType": ["LM", "*"],
            "SpType": ["M4", "K0"],
            "RAdeg": [269.44850, CENTRE[0]],
            "DEdeg": [4.73942, CENTRE[1]],
            "Epoch": [2016.0, 2016.0],
            "plx": [546.98, 120.0],
            "pmRA": [-801.551, 3600.0],
            "pmDE": [10362.394, 0.0],
            "Gmag": [8.19, 6.0],
            "GBPmag": [9.79, 6.5],
            "GRPmag": [6.96, 5.4],
        }
    )


def _esa(vizier: Table) -> Table:
    names = {
        "Source": "source_id",
        "RA_ICRS": "ra",
        "DE_ICRS": "dec",
        "e_RA_ICRS": "ra_error",
        "e_DE_ICRS": "dec_error",
        "pmRA": "pmra",
        "pmDE": "pmdec",
        "Plx": "parallax",
        "e_Plx": "parallax_error",
        "Gmag": "phot_g_mean_mag",
        "BPmag": "phot_bp_mean_mag",
        "RPmag": "phot_rp_mean_mag",
        "e_Gmag": "g_mag_err",
        "e_BPmag": "bp_mag_err",
        "e_RPmag": "rp_mag_err",
        "RUWE": "ruwe",
        "VarFlag": "phot_variable_flag",
    }
    table = Table({new: vizier[old] for old, new in names.items()})
    table["bp_rp"] = table["phot_bp_mean_mag"] - table["phot_rp_mean_mag"]
    table["c_star"] = np.zeros(len(table))
    g, x = table["phot_g_mean_mag"], table["bp_rp"]
    shift = {"u": 1.5 * x, "b": 0.8 * x, "v": 0.2 * x, "r": -0.2 * x, "i": -0.6 * x}
    for band, change in shift.items():
        table[f"{band}_jkc_mag"] = g + change
        table[f"jkc_{band}_mag_err"] = np.full(len(table), 0.01)
        table[f"{band}_jkc_flag"] = np.ones(len(table), dtype=np.int16)
    for band, change in zip("ugriz", (2 * x, 0.5 * x, 0 * x, -0.2 * x, -0.3 * x), strict=True):
        table[f"{band}_sdss_mag"] = g + change
        table[f"sdss_{band}_mag_err"] = np.full(len(table), 0.01)
        table[f"{band}_sdss_flag"] = np.ones(len(table), dtype=np.int16)
    return table


def _simbad(vizier: Table) -> Table:
    bright = vizier[np.argsort(vizier["Gmag"])[:SIMBAD_ROWS]]
    n = len(bright)
    names = ["V* EY UMa", *(f"TYC 3424-{i}-1" for i in range(1, n))]
    table = Table({"main_id": names, "ra": bright["RA_ICRS"], "dec": bright["DE_ICRS"]})
    # SIMBAD refers positions to 2000, those of Gaia are of 2016.
    known = ~(np.ma.getmaskarray(bright["pmRA"]) | np.ma.getmaskarray(bright["pmDE"]))
    degrees = np.where(known, -16 / 3.6e6, 0.0)
    table["dec"] = np.asarray(table["dec"]) + degrees * np.asarray(bright["pmDE"])
    east = degrees * np.asarray(bright["pmRA"]) / np.cos(np.radians(np.asarray(table["dec"])))
    table["ra"] = np.asarray(table["ra"]) + east
    table["coo_err_maj"], table["coo_err_min"] = np.full(n, 0.02), np.full(n, 0.02)
    table["coo_err_maj"].unit = table["coo_err_min"].unit = "mas"
    table["pmra"], table["pmdec"] = bright["pmRA"], bright["pmDE"]
    table["otype"], table["sp_type"] = ["EB*", *["*"] * (n - 1)], [""] * n
    table["rvz_redshift"] = np.full(n, np.nan)
    table["B"], table["V"] = bright["BPmag"] + 0.3, bright["Gmag"] + 0.1
    return table
