"""Light curves and pixels of a space telescope with a known transit, in the layouts of archives.

TESS Science Data Products Description (EXP-TESS-ARC-ICD-0014), Kepler Archive Manual (KDMC-10008),
and the columns of QLP, TGLC, eleanor, K2SFF and TESScut as their files have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from scipy.special import erf

from lightcurve.core.data import Planet
from lightcurve.transit.limb_darkening import limb_darkening_prior
from lightcurve.transit.model import transit_flux

ZEROS = {"TESS": 2457000, "Kepler": 2454833, "K2": 2454833}
STARTS = {"TESS": 2458683.4, "Kepler": 2455000.2, "K2": 2457000.3}
FRAMES = {"TESS": (1.98, 0.02), "Kepler": (6.01980290327, 0.518948526144)}  # exposed, read; s
DUMP, HAND, COSMIC = 32, {"TESS": 128, "Kepler": 256}, {"TESS": 64, "Kepler": 128}
SIDE, WIDTH = 11, 0.75  # pixels of a stamp, sigma of a star on it
STAR, OTHER = (5.1, 4.8), (8.0, 6.3)  # x, y
PRF = tuple[np.ndarray, np.ndarray]


def planet_of(mission: str = "TESS", **changes: float) -> Planet:
    """A hot Jupiter that transits six times in a sector, its T0 a thousand periods before."""
    values = {"period_days": 4.1373, "rp_over_rs": 0.1, "a_over_rs": 11.0, "inclination_deg": 88.5}
    values |= changes
    t0 = STARTS[mission] + 1.3 - 1000 * values["period_days"]
    return Planet(
        name="Space b", ra_deg=120.0, dec_deg=-40.0, t0_bjd_tdb=t0, teff_k=5800.0, **values,
        errors={"a_over_rs": 0.3, "inclination_deg": 0.5, "t0_bjd_tdb": 4e-4,
                "period_days": 1e-6},
    )  # fmt: skip


def planet_text(planet: Planet) -> str:
    """Write the planet's file."""
    names = ("period_days", "t0_bjd_tdb", "rp_over_rs", "a_over_rs", "inclination_deg")
    lines = [f'name = "{planet.name}"', f"ra = {planet.ra_deg}", f"dec = {planet.dec_deg}"]
    lines += [f"{name} = {getattr(planet, name)!r}" for name in names]
    lines += [f"{name}_err = {value!r}" for name, value in planet.errors.items()]
    return "\n".join([*lines, "[star]", f"teff_k = {planet.teff_k}", ""])


@dataclass(frozen=True, slots=True, eq=False)
class Sector:
    """What the telescope sees: (n,) arrays, a row a cadence."""

    mission: str
    cadence_s: float
    planet: Planet
    bjd_tdb: np.ndarray  # mid-cadence, of the star
    light: np.ndarray  # of the star, 1 out of transit
    quality: np.ndarray
    shift: np.ndarray  # (n, 2) pixels
    stray: np.ndarray  # e/s a pixel in the middle of the stamp
    rng: np.random.Generator = field(repr=False)

    @property
    def epochs(self) -> np.ndarray:
        """Of the transits whose middle it has."""
        epoch = (self.bjd_tdb - self.planet.t0_bjd_tdb) / self.planet.period_days
        near = 0.6 * self.cadence_s / 86400 / self.planet.period_days
        return np.unique(np.round(epoch[np.abs(epoch - np.round(epoch)) < near])).astype(int)


def observe(
    seed: int = 1, mission: str = "TESS", *, cadence_s: float = 120.0, days: float = 27.0,
    planet: Planet | None = None, late: Mapping[int, float] | None = None, gap: bool = True,
    varies: float = 2e-3,
) -> Sector:  # fmt: skip
    """Observe a star; late: days by epoch; varies: of its light, over some days."""
    rng = np.random.default_rng(seed)
    planet = planet or planet_of(mission)
    time = STARTS[mission] + np.arange(0.0, days, cadence_s / 86400)
    if gap and days > 4:  # data are sent down
        time = time[np.abs(time - time.mean()) > 0.5]
    light = np.ones(len(time))
    theta = np.array([planet.t0_bjd_tdb, planet.rp_over_rs, planet.a_over_rs,
                      planet.a_over_rs * np.cos(np.radians(planet.inclination_deg)),
                      *limb_darkening_prior(planet.teff_k, "TESS" if mission == "TESS" else
                                            "Kepler")[0]])  # fmt: skip
    epoch = np.round((time - planet.t0_bjd_tdb) / planet.period_days)
    shift = np.array([(late or {}).get(int(e), 0.0) for e in epoch])
    steps = (np.arange(15) - 7) / 15 * cadence_s / 86400
    light = np.mean([transit_flux(time + s - shift, theta, planet) for s in steps], axis=0)
    phase = 2 * np.pi * (time - time[0])
    light = light * (1 + varies * np.sin(phase / 5.3 + rng.uniform(0, 6)))
    quality = np.zeros(len(time), dtype=int)
    dumps = (time - time[0] + 0.7) % 3.1 < max(cadence_s, 300) / 86400
    quality[dumps] |= 1048576 if mission == "K2" else DUMP
    own = "TESS" if mission == "TESS" else "Kepler"
    quality[rng.integers(0, len(time), 8)] |= COSMIC[own]
    if mission == "K2":  # rolls for six hours, and is set back
        arc = ((time - time[0]) % 0.25) / 0.25 - 0.5
        place = np.column_stack([0.8 * arc, 0.3 * arc]) + rng.normal(0, 0.01, (len(time), 2))
        quality[((time - time[0]) % 0.25) < cadence_s / 86400] |= 1048576
    else:
        drift = 0.02 * np.sin(phase / 13 + 1.0)
        place = np.column_stack([drift, -0.5 * drift]) + rng.normal(0, 0.01, (len(time), 2))
    place[dumps] += rng.normal(0, 0.5, (dumps.sum(), 2))
    stray = 8 + 60 * np.exp(-((((time - time[0]) % 13.5) / 1.5) ** 2))
    return Sector(mission, cadence_s, planet, time, light, quality, place, stray, rng)


def primary(sector: Sector, **cards: object) -> fits.PrimaryHDU:
    """Write the cards of the file."""
    first = fits.PrimaryHDU()
    own = "TESS" if sector.mission == "TESS" else "Kepler"
    kind = {"TESS": {"SECTOR": 40, "CAMERA": 2, "CCD": 3, "TICID": 4242, "DATA_REL": 56},
            "Kepler": {"QUARTER": 5, "KEPLERID": 4242, "DATA_REL": 25},
            "K2": {"CAMPAIGN": 5, "KEPLERID": 4242, "DATA_REL": 25}}  # fmt: skip
    first.header.update(
        ORIGIN="NASA/Ames", CREATOR="1 LightCurveExporterPipelineModule", TELESCOP=own,
        INSTRUME=f"{own} Photometer", OBJECT="TIC 4242", FILEVER="6.1",
        RA_OBJ=sector.planet.ra_deg, DEC_OBJ=sector.planet.dec_deg, **kind[sector.mission],
    )  # fmt: skip
    if sector.mission == "K2":
        first.header["MISSION"] = "K2"
    first.header.update(cards)
    return first


def timing(sector: Sector) -> dict[str, object]:
    """Cards of a table: how its times are meant, and what a cadence is made of."""
    exposed, read = FRAMES["TESS" if sector.mission == "TESS" else "Kepler"]
    return {
        "BJDREFI": ZEROS[sector.mission], "BJDREFF": 0.0, "TIMEUNIT": "d", "TIMESYS": "TDB",
        "TIMEREF": "SOLARSYSTEM", "INT_TIME": exposed, "READTIME": read,
        "FRAMETIM": exposed + read, "NUM_FRM": round(sector.cadence_s / (exposed + read)),
        "TIMEDEL": sector.cadence_s / 86400,
    }  # fmt: skip


def table_of(columns: Mapping[str, tuple[str, object]], **cards: object) -> fits.BinTableHDU:
    """Lay columns out: format and values by name."""
    table = fits.BinTableHDU.from_columns(
        [fits.Column(name, kind, array=values) for name, (kind, values) in columns.items()]
    )
    for key, value in cards.items():
        table.header[key] = value
    return table


def write_light_curve(
    path: Path, sector: Sector, layout: str = "spoc", *, level: float = 5000.0, crowd: float = 0.9
) -> Path:
    """Write it as spoc (Kepler's for Kepler), qlp, tglc, eleanor or k2sff has it."""
    n, days = len(sector.bjd_tdb), sector.bjd_tdb - ZEROS[sector.mission]
    noise = 1 / np.sqrt(level * sector.cadence_s)
    flux = sector.light * (1 + noise * sector.rng.normal(size=n))
    bumpy = flux * (1 + 0.01 * sector.shift[:, 0])
    lost = sector.rng.integers(0, n, 20)
    flux[lost] = bumpy[lost] = np.nan
    error, number = np.full(n, level * noise), np.arange(n) + 1000
    if layout == "spoc":
        bits = "QUALITY" if sector.mission == "TESS" else "SAP_QUALITY"
        columns = {
            "TIME": ("D", days), "TIMECORR": ("E", np.zeros(n)), "CADENCENO": ("J", number),
            "SAP_FLUX": ("E", level * (bumpy + 1 / crowd - 1)), "SAP_FLUX_ERR": ("E", error),
            "SAP_BKG": ("E", sector.stray), "PDCSAP_FLUX": ("E", level * flux),
            "PDCSAP_FLUX_ERR": ("E", error), bits: ("J", sector.quality),
            "POS_CORR1": ("E", sector.shift[:, 0]), "POS_CORR2": ("E", sector.shift[:, 1]),
        }  # fmt: skip
        table = table_of(columns, EXTNAME="LIGHTCURVE", **timing(sector), CROWDSAP=crowd,
                         FLFRCSAP=0.8)  # fmt: skip
        table.header["TUNIT1"] = f"BJD - {ZEROS[sector.mission]}, days"
        first = primary(sector)
    elif layout == "qlp":
        columns = {
            "TIME": ("D", days), "CADENCENO": ("J", number), "SAP_FLUX": ("E", bumpy),
            "KSPSAP_FLUX": ("E", flux), "KSPSAP_FLUX_ERR": ("E", error / level),
            "QUALITY": ("J", sector.quality | np.where(number % 400 == 0, 4096, 0)),
            "ORBITID": ("J", np.full(n, 9)), "SAP_X": ("E", np.full(n, 9.0)),
            "SAP_Y": ("E", np.full(n, 9.0)),
        }  # fmt: skip
        table = table_of(columns, BJDREFI=2457000, BJDREFF=0.0, TIMESYS="TDB", TIMEUNIT="d")
        first = primary(sector, ORIGIN="MIT/QLP", CREATOR="QLP")
    elif layout == "tglc":
        columns = {
            "time": ("D", days), "psf_flux": ("E", level * bumpy),
            "aperture_flux": ("E", level * bumpy), "cal_psf_flux": ("E", flux),
            "cal_aper_flux": ("E", flux), "background": ("E", sector.stray),
            "cadence_num": ("J", number), "TESS_flags": ("I", sector.quality),
            "TGLC_flags": ("I", np.where(number % 500 == 0, 1, 0)),
        }  # fmt: skip
        table = table_of(columns, TIMEREF="SOLARSYSTEM", BJDREFI=2457000, BJDREFF=0.0,
                         TIMEUNIT="d", CPSF_ERR=noise)  # fmt: skip
        first = primary(sector, ORIGIN="UCSB/TGLC", TELESCOP="TESS")
    elif layout == "eleanor":
        columns = {
            "TIME": ("D", days), "QUALITY": ("K", sector.quality), "RAW_FLUX": ("D", level * bumpy),
            "FLUX_ERR": ("D", error), "CORR_FLUX": ("D", level * flux),
            "X_CENTROID": ("D", sector.shift[:, 0]),
        }  # fmt: skip
        table, first = table_of(columns), primary(sector, CREATOR="eleanor")
    else:
        arc = sector.shift[:, 0] / 0.8
        columns = {
            "T": ("D", days), "FRAW": ("D", bumpy), "FCOR": ("D", flux), "ARCLENGTH": ("D", arc),
            "MOVING": ("D", (sector.quality & 1048576 != 0).astype(float)),
            "CADENCENO": ("J", number),
        }  # fmt: skip
        table = table_of(columns, EXTNAME="BESTAPER", IMAGNUM=3)
        first = primary(sector, CREATOR="K2SFF", ORIGIN="")
    fits.HDUList([first, table]).writeto(path, overwrite=True)
    return path


def star_on_pixels(place: tuple[float, float], shift: np.ndarray) -> np.ndarray:
    """Spread the light of a star over the stamp, (n, ny, nx) of shares that add up to 1 at most."""
    edges = np.arange(SIDE + 1) - 0.5
    x, y = (
        np.diff(erf((edges[None] - place[k] - shift[:, k, None]) / (np.sqrt(2) * WIDTH)), axis=1)
        / 2
        for k in (0, 1)
    )
    return y[:, :, None] * x[:, None, :]


def render(
    sector: Sector, *, level: float = 5000.0, other: float = 0.25
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels and their noise, (n, ny, nx) e/s, with stray light; and its model there."""
    n = len(sector.bjd_tdb)
    star, neighbour = (star_on_pixels(place, sector.shift) for place in (STAR, OTHER))
    tilt = 1 + 0.03 * (np.mgrid[:SIDE, :SIDE][1] - SIDE // 2)
    sky = sector.stray[:, None, None] * tilt
    clean = level * (sector.light[:, None, None] * star + other * neighbour) + sky
    # Pixels differ in what they see of a star that moves.
    sigma = np.sqrt(clean * sector.cadence_s + 100 * sector.cadence_s / 2) / sector.cadence_s
    pixels = clean + sigma * sector.rng.normal(size=(n, SIDE, SIDE))
    return pixels.astype(np.float32), sigma.astype(np.float32), sky.astype(np.float32)


def write_pixels(
    path: Path, sector: Sector, layout: str = "spoc", *, level: float = 5000.0, other: float = 0.25
) -> Path:
    """Write a target pixel file (spoc), or a cut-out of full frames (tesscut, tica)."""
    pixels, sigma, sky = render(sector, level=level, other=other)
    n, shape = len(pixels), f"({SIDE},{SIDE})"
    target, neighbour = (star_on_pixels(place, np.zeros((1, 2)))[0] for place in (STAR, OTHER))
    aperture = target > 0.02
    held = target[aperture].sum()
    crowd = held / (held + other * neighbour[aperture].sum())
    days = sector.bjd_tdb - ZEROS[sector.mission]
    if layout != "spoc":
        sky = np.zeros_like(sky)  # it stays in
    pixels = pixels - sky
    lost = sector.rng.integers(0, n, 10)
    pixels[lost] = np.nan
    cube = f"{SIDE * SIDE}E"
    entries = {
        "TIME": ("D", days), "TIMECORR": ("E", np.zeros(n)), "CADENCENO": ("J", np.arange(n)),
        "FLUX": (cube, pixels), "FLUX_ERR": (cube, sigma), "FLUX_BKG": (cube, sky),
        "QUALITY": ("J", sector.quality), "POS_CORR1": ("E", sector.shift[:, 0]),
        "POS_CORR2": ("E", sector.shift[:, 1]),
    }  # fmt: skip
    cards = timing(sector)
    first = primary(sector, CREATOR="1 TargetPixelExporterPipelineModule")
    if layout == "spoc":
        cards |= {"CROWDSAP": crowd, "FLFRCSAP": held}
        mask = np.where(aperture, 3, 1)
    else:
        entries, mask = cut_out(sector, entries, layout), np.ones((SIDE, SIDE), dtype=int)
        zeros = {key: cards[key] for key in ("BJDREFI", "BJDREFF", "TIMESYS", "TIMEUNIT")}
        first.header.update(CREATOR="astrocut", ORIGIN="STScI/MAST", OBJECT="", FFI_TYPE=layout,
                            **zeros)  # fmt: skip
        cards = {"INT_TIME": None}
        if layout == "tesscut":
            first.header["TIMEREF"] = "SOLARSYSTEM"
    table = fits.BinTableHDU.from_columns([
        fits.Column(name, kind, array=values, dim=shape if kind == cube else None)
        for name, (kind, values) in entries.items()
    ])  # fmt: skip
    table.header["EXTNAME"] = "PIXELS"
    for key, value in cards.items():
        table.header[key] = value
    second = fits.ImageHDU(mask.astype(np.int32), name="APERTURE")
    scale = 21.0 / 3600
    second.header.update(
        CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRPIX1=STAR[0] + 1, CRPIX2=STAR[1] + 1,
        CRVAL1=sector.planet.ra_deg, CRVAL2=sector.planet.dec_deg, CDELT1=-scale, CDELT2=scale,
        CUNIT1="deg", CUNIT2="deg",
    )  # fmt: skip
    fits.HDUList([first, table, second]).writeto(path, overwrite=True)
    return path


def cut_out(sector: Sector, entries: dict, layout: str) -> dict:
    """Lay the columns of a cut-out of full frames out.

    TESScut has times for the middle of the CCD, here 0.3 light minutes from the star's; TICA's are
    the spacecraft's.
    """
    from lightcurve.core.times import bjd_tdb, tt_minus_utc_s

    star = sector.planet.ra_deg, sector.planet.dec_deg
    ahead = tt_minus_utc_s(sector.bjd_tdb) / 86400
    utc = sector.bjd_tdb - ahead
    for _ in range(3):
        utc = utc + (sector.bjd_tdb - bjd_tdb(utc, *star, None))
    here = utc + tt_minus_utc_s(utc) / 86400 - ZEROS["TESS"]
    field = bjd_tdb(utc, star[0] + 6, star[1] + 5, None) - ZEROS["TESS"]
    changed = {"TIME": ("D", field if layout == "tesscut" else here), "FFI_FILE": ("38A", np.full(
        len(here), "tess-s0040-2-3_ffic.fits")), "POS_CORR1": ("E", np.zeros(len(here))),
        "POS_CORR2": ("E", np.zeros(len(here)))}  # fmt: skip
    if layout == "tesscut":
        return entries | changed | {"TIMECORR": ("E", field - here)}
    return {name: v for name, v in (entries | changed).items() if name != "TIMECORR"}
