"""Tables of a night with a known transit, written as people and programs write them, and wrongly.

Each case says what must come of it: the light curve that it hides, or a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy import constants
from astropy import units as u
from astropy.coordinates import SkyCoord, get_body_barycentric
from astropy.time import Time

from lightcurve.core.data import LightCurve, Planet
from lightcurve.core.errors import InputError
from lightcurve.core.flags import NO_POINT
from lightcurve.night.fit_table import Known, ready_to_fit, settle
from lightcurve.tables.light_curves import ColumnChoice, read_curve

DAY_S = 86400.0
TIME_TOLERANCE_S = 1.0  # of the observer for the centre of the Earth: 0.021
FLUX_TOLERANCE = 2e-4
ANY = ColumnChoice()


@dataclass(frozen=True, eq=False)
class Truth:
    """A night: JD_UTC and the dates that follow of it, by astropy, and the flux of the star."""

    planet: Planet
    jd_utc: np.ndarray
    bjd_tdb: np.ndarray
    hjd_utc: np.ndarray
    flux: np.ndarray
    error: float
    exposure_s: float

    @property
    def tdb_minus_utc(self) -> float:
        """Days."""
        moment = Time(self.jd_utc[0], format="jd", scale="utc")
        return float(moment.tdb.jd - moment.utc.jd)


def draw_truth(rng: np.random.Generator) -> Truth:
    """Draw a star, a planet and a night with its transit."""
    ra, dec = float(rng.uniform(0, 360)), float(rng.uniform(-60, 80))
    middle = 2457000 + rng.uniform(0, 4500)
    n, step = int(rng.integers(90, 200)), rng.uniform(80, 200) / DAY_S
    jd = middle + step * (np.arange(n) - n / 2)
    moments = Time(jd, format="jd", scale="utc")
    towards = SkyCoord(ra, dec, unit="deg").cartesian
    earth, sun = (get_body_barycentric(body, moments) for body in ("earth", "sun"))
    bjd, hjd = (
        start.jd + (place.dot(towards) / constants.c).to_value(u.day)
        for start, place in ((moments.tdb, earth), (moments.utc, earth - sun))
    )
    rp, period, width = (
        float(rng.uniform(0.09, 0.15)),
        float(rng.uniform(2.3, 4.2)),
        0.33 * n * step,
    )
    planet = Planet(
        name="Test b", ra_deg=ra, dec_deg=dec, period_days=period, t0_bjd_tdb=float(bjd[n // 2]),
        rp_over_rs=rp, a_over_rs=period / (2 * np.pi * 0.875 * width), inclination_deg=90.0,
    )  # fmt: skip
    dip = np.clip((width - np.abs(bjd - planet.t0_bjd_tdb)) / (0.25 * width), 0, 1)
    error = 0.0015
    flux = (1 - rp**2 * dip) * (1 + rng.normal(0, error, n))
    return Truth(planet, jd, bjd, hjd, flux, error, float(0.7 * step * DAY_S))


@dataclass(frozen=True, eq=False)
class Case:
    """A table.

    columns : text or numbers by column; names may repeat.
    expect : "read", "refused", or "either" where both are right; never other numbers.
    lost : rows that are no measurement.
    """

    name: str
    columns: list[tuple[str, list[str]]]
    truth: Truth
    expect: str = "read"
    choice: ColumnChoice = ANY
    comments: tuple[str, ...] = ()
    header: str = "plain"  # or "comment", "none"
    lost: frozenset[int] = frozenset()
    separator: str = ","
    repeats: int = 1
    content: bytes = b""  # all of the file, instead of the columns


def numbers(values: np.ndarray, digits: int = 9) -> list[str]:
    """Write numbers as tables have them."""
    return [f"{value:.{digits}f}" for value in values]


def write_case(path: Path, case: Case) -> Path:
    """Write a table."""
    if case.content:
        path.write_bytes(case.content)
        return path
    names = case.separator.join(name for name, _ in case.columns)
    lines = [case.separator.join(row) for row in zip(*(c for _, c in case.columns), strict=True)]
    lines = [line for line in lines for _ in range(case.repeats)]
    head = {"plain": [names], "comment": [f"#{names}"], "none": []}[case.header]
    path.write_text("\n".join([*case.comments, *head, *lines]) + "\n")
    return path


def outcome(path: Path, case: Case) -> str:
    """Read a case up to where a transit would be fitted: "read", "refused: why" or "WRONG: why"."""
    truth = case.truth
    star = truth.planet.ra_deg, truth.planet.dec_deg
    try:
        curve = read_curve(write_case(path, case), case.choice, star=star)
        exposure_s, _, _ = settle(Known(case.choice), curve, {})
        curve = ready_to_fit(curve, truth.planet, None, exposure_s, case.choice)
    except InputError as error:
        return f"refused: {error}"
    return _against_truth(curve, exposure_s, case)


def _against_truth(curve: LightCurve, exposure_s: float, case: Case) -> str:
    truth = case.truth
    good = np.isfinite(curve.flux) & np.isfinite(curve.bjd_tdb) & (curve.flags & int(NO_POINT) == 0)
    kept = np.array([k not in case.lost for k in range(len(truth.flux))])
    if good.sum() != kept.sum():
        return f"WRONG: {good.sum()} points, {kept.sum()} measured"
    late = np.abs(curve.bjd_tdb[good] - truth.bjd_tdb[kept]).max() * DAY_S
    if not late < TIME_TOLERANCE_S:
        return f"WRONG: times off by {late:.1f} s"
    found, true = curve.flux[good], truth.flux[kept]
    off = np.abs(found / np.median(found) - true / np.median(true)).max()
    if not off < FLUX_TOLERANCE:
        return f"WRONG: flux off by {off:.4f}"
    if not 0 <= exposure_s < 3 * truth.exposure_s:
        return f"WRONG: exposure {exposure_s:g} s"
    if not 0.3 < np.median(curve.flux_err[good]) / truth.error < 3:
        return f"WRONG: errors {np.median(curve.flux_err[good]):g}"
    return "read"


def judge(result: str, case: Case) -> str:
    """Say what is wrong with an outcome; nothing where it is right."""
    if result.startswith("WRONG"):
        return result
    kind = result.split(":", maxsplit=1)[0]
    return "" if case.expect in {kind, "either"} else f"{result}, not {case.expect}"


# How brightness is written


def _plain(truth: Truth, name: str, flux: np.ndarray, error: np.ndarray | float, e: str) -> Case:
    errors = np.broadcast_to(error, flux.shape)
    columns = [
        ("BJD_TDB", numbers(truth.bjd_tdb)), (name, numbers(flux)), (e, numbers(errors)),
    ]  # fmt: skip
    return Case("", columns, truth)


def _magnitudes(truth: Truth, level: float) -> tuple[np.ndarray, float]:
    return level - 2.5 * np.log10(truth.flux), 1.0857 * truth.error


def brightness(truth: Truth, rng: np.random.Generator) -> Iterator[Case]:
    """Fluxes, magnitudes and differences, named rightly, wrongly or not at all."""
    name = str(rng.choice(["flux", "rel_flux", "Flux", "relative_flux"]))
    flux, error = truth.flux, truth.error
    for level in (1.0, float(rng.uniform(60, 9e4))):
        case = _plain(truth, name, level * flux, level * error, "flux_err")
        yield replace(case, name=f"flux of about {'1' if level == 1 else 'many counts'}")
    for about, what in ((12, "12"), (0.3, "0.3"), (0.0, "0"), (1.0, "1"), (-7.5, "-7.5")):
        level = about + float(rng.normal(0, 0.01 if about in {0.0, 1.0} else 0.1))
        mag, mag_error = _magnitudes(truth, level)
        case = _plain(truth, name, mag, mag_error, "flux_err")
        yield replace(case, name=f"magnitudes of about {what} as {name}", expect="refused")
        choice = ColumnChoice(flux=name, flux_kind="mag")
        yield replace(case, name=f"magnitudes of about {what}, told", choice=choice)
        column = str(rng.choice(["mag", "MAG", "Magnitude", "dmag", "delta_mag"]))
        case = _plain(truth, column, mag, mag_error, "mag_err")
        yield replace(case, name=f"magnitudes of about {what} by name")
    for unit, size in (("ppt", 1e3), ("ppm", 1e6)):
        values = size * (flux / np.median(flux) - 1) + float(rng.normal(0, 1e-4)) * size
        case = _plain(truth, f"flux_{unit}", values, size * error, "flux_err")
        named = replace(case, choice=ColumnChoice(flux=f"flux_{unit}"))
        yield replace(named, name=f"differences in {unit} by name")
        case = _plain(truth, name, values, size * error, "flux_err")
        yield replace(case, name=f"differences in {unit} as {name}", expect="refused")
    yield from _of_another_unit(truth)
    signs = np.where(np.arange(len(flux)) % 2, 1, -1)
    case = _plain(truth, name, flux * signs, error, "flux_err")
    yield replace(case, name="half of the fluxes negative", expect="refused")
    case = _plain(truth, name, flux, 1000 * error, "flux_err")
    yield replace(case, name="errors in ppt beside a flux", expect="refused")


def _of_another_unit(truth: Truth) -> Iterator[Case]:
    """Columns whose name tells a unit that is not the one they hold."""
    flux, error = truth.flux, truth.error
    for column, values, size in (
        ("flux_ppt", 1e3 * flux, 1e3), ("flux_ppm", 1e6 * flux, 1e6), ("flux_ppt", flux - 1, 1),
    ):  # fmt: skip
        case = _plain(truth, column, values, size * error, "flux_err")
        told = replace(case, name=f"{values[0]:.3g} as {column}", choice=ColumnChoice(flux=column))
        yield replace(told, expect="refused")
        if size > 1:
            yield replace(told, choice=ColumnChoice(flux=column, flux_kind="flux"))
    for level in (12.0, 0.0):
        mag, mag_error = _magnitudes(truth, level)
        case = _plain(truth, "mag", 1e3 * mag, 1e3 * mag_error, "mag_err")
        yield replace(case, name=f"thousandths of {level:g} as mag", expect="refused")
        choice = ColumnChoice(flux="mag", flux_kind="mmag")
        yield replace(case, name=f"thousandths of {level:g}, told", choice=choice)


def fills(truth: Truth, rng: np.random.Generator) -> Iterator[Case]:
    """Numbers that stand for no measurement."""
    for fill in ("99.999", "-999", "1e30", "0", "-99.99", "9999", "nan", "", "-1", "inf", "<14.5"):
        rows = rng.choice(len(truth.flux), int(rng.integers(1, 9)), replace=False)
        for name in ("flux", "mag"):
            if name == "flux":
                case = _plain(truth, "flux", truth.flux, truth.error, "flux_err")
            else:
                case = _plain(truth, "mag", *_magnitudes(truth, 12.3), "mag_err")
            _, times = case.columns[0]
            column = [fill if k in rows else v for k, v in enumerate(case.columns[1][1])]
            columns = [("BJD_TDB", times), (name, column), case.columns[2]]
            lost = frozenset(rows.tolist())
            yield replace(case, name=f"{fill!r} in {name}", columns=columns, lost=lost)
        case = _plain(truth, "flux", truth.flux, truth.error, "flux_err")
        if fill in {"0", "99.999", "1e30", "-999"}:
            errors = [fill if k in rows else v for k, v in enumerate(case.columns[2][1])]
            columns = [*case.columns[:2], ("flux_err", errors)]
            yield replace(case, name=f"{fill!r} in errors", columns=columns, lost=lost)
            times = [fill if k in rows else v for k, v in enumerate(case.columns[0][1])]
            columns = [("BJD_TDB", times), *case.columns[1:]]
            yield replace(case, name=f"{fill!r} in times", columns=columns, lost=lost)


def columns_and_rows(truth: Truth, rng: np.random.Generator) -> Iterator[Case]:
    """Columns that clash, rows that stand there twice, exposures in other units."""
    case = _plain(truth, "flux", truth.flux, truth.error, "flux_err")
    other = numbers(truth.flux[::-1] ** 2)
    twins = [*case.columns, ("Flux", other)]
    yield replace(case, name="flux and Flux differ", columns=twins, expect="refused")
    chosen = ColumnChoice(flux="flux")
    yield replace(case, name="flux and Flux differ, told", columns=twins, choice=chosen)
    same = [*case.columns, ("FLUX", case.columns[1][1])]
    yield replace(case, name="flux and FLUX the same", columns=same)
    twice = [*case.columns, ("flux", other)]
    yield replace(case, name="flux twice, other values", columns=twice, expect="refused")
    times = [*case.columns, ("bjd_tdb", numbers(truth.bjd_tdb + 0.1))]
    yield replace(case, name="BJD_TDB and bjd_tdb differ", columns=times, expect="refused")
    for unit, scale in (("s", 1), ("ms", 1000)):
        exposures = numbers(np.full(len(truth.flux), truth.exposure_s * scale))
        columns = [*case.columns, ("EXPTIME", exposures)]
        expect = "refused" if unit == "ms" else "read"
        yield replace(case, name=f"EXPTIME in {unit}", columns=columns, expect=expect)
        for name in (f"exposure_{unit}", f"EXPTIME ({unit})", f"Exposure time [{unit}]"):
            columns = [*case.columns, (name, exposures)]
            yield replace(case, name=f"exposures as {name}", columns=columns)
    short = numbers(np.full(len(truth.flux), 2 * truth.exposure_s))
    columns = [*case.columns, ("EXPTIME", short)]
    yield replace(case, name="EXPTIME of a second in ms", columns=columns, expect="refused")
    bad = frozenset(rng.choice(len(truth.flux), 7, replace=False).tolist())
    spoilt = numbers(np.where([k in bad for k in range(len(truth.flux))], 0.7, 1) * truth.flux)
    flags = [str(4 * (k in bad)) for k in range(len(truth.flux))]
    for name in ("flag", "QUALITY", "quality_flag"):
        columns = [case.columns[0], ("flux", spoilt), case.columns[2], (name, flags)]
        yield replace(case, name=f"points marked by {name}", columns=columns, lost=bad)
    for name, turned in (("quality", ["1" if f == "0" else "0" for f in flags]), (
            "flag", ["good"] * len(flags))):  # fmt: skip
        columns = [*case.columns, (name, turned)]
        yield replace(case, name=f"most points marked by {name}", columns=columns)
    yield replace(case, name="each row twice", repeats=2)
    yield replace(case, name="each row three times, tabs", repeats=3, separator="\t")


def times(truth: Truth, rng: np.random.Generator) -> Iterator[Case]:
    """Dates of every kind, named rightly, wrongly or not at all."""
    flux = [("flux", numbers(truth.flux)), ("flux_err", numbers(0 * truth.flux + truth.error))]
    ahead = truth.tdb_minus_utc

    def case(
        name: str,
        *columns: tuple[str, np.ndarray],
        expect: str = "read",
        choice: ColumnChoice = ANY,
    ) -> Case:
        written = [(column, numbers(values)) for column, values in columns]
        return Case(name, [*written, *flux], truth, expect, choice)

    jd, bjd, hjd = truth.jd_utc, truth.bjd_tdb, truth.hjd_utc
    for column, values in (
        ("BJD_TDB", bjd), ("JD_UTC", jd), ("HJD_UTC", hjd), ("BJD_UTC", bjd - ahead),
        ("JD_TDB", jd + ahead), ("HJD_TDB", hjd + ahead), ("BJD_TDB-2450000", bjd - 2450000),
        ("JD_UTC-2400000", jd - 2400000), ("MJD_UTC", jd - 2400000.5), ("BTJD", bjd - 2457000),
        ("BMJD_TDB", bjd - 2400000.5), ("HJD_UTC-2400000", hjd - 2400000),
        ("BJDTDB", bjd),
    ):  # fmt: skip
        yield case(f"{column} by name", (column, values))
    for column, values in (
        ("BJD", bjd), ("HJD", hjd), ("JD", jd), ("MJD", jd - 2400000.5), ("time", bjd),
        ("JD_LOCAL", jd - 0.29), ("TIME", bjd - 2457000), ("JD_UTC", jd - 2400000),
        ("BJD_TDB", bjd - 2450000), ("BJD_TAI", bjd),
    ):  # fmt: skip
        yield case(f"{column} that does not tell", (column, values), expect="refused")
    yield case("JD_LOCAL named", ("JD_LOCAL", jd - 0.29), choice=ColumnChoice(time="JD_LOCAL"),
               expect="refused")  # fmt: skip
    for kind, column, values in (
        ("hjd_utc", "HJD", hjd), ("bjd_utc", "BJD", bjd - ahead), ("btjd", "TIME", bjd - 2457000),
        ("jd_utc-2400000", "MJD", jd - 2400000), ("mjd_utc", "MJD", jd - 2400000.5),
    ):  # fmt: skip
        choice = ColumnChoice(time=column, time_kind=kind)
        yield case(f"{column}, told to be {kind}", (column, values), choice=choice)
    named = ColumnChoice(time="MJD")
    yield case("MJD by convention", ("MJD", jd - 2400000.5), choice=named)
    yield case("MJD that holds JD-2400000", ("MJD", jd - 2400000), choice=named, expect="refused")
    off = float(rng.choice([-1, 1])) / 24
    yield case("BJD_TDB and JD_UTC", ("BJD_TDB", bjd), ("JD_UTC", jd))
    wrong = ("BJD_TDB", bjd + off)
    yield case("BJD_TDB an hour off beside JD_UTC", wrong, ("JD_UTC", jd), expect="refused")
    chosen = ColumnChoice(time="JD_UTC")
    yield case("JD_UTC chosen beside a wrong BJD_TDB", wrong, ("JD_UTC", jd), choice=chosen)
    scale = ("BJD_TDB", bjd - ahead)
    yield case("BJD_UTC as BJD_TDB beside JD_UTC", scale, ("JD_UTC", jd), expect="refused")


def moments(truth: Truth, _: np.random.Generator) -> Iterator[Case]:
    """Times of the start or the end of exposures, by the column's name."""
    flux = [("flux", numbers(truth.flux)), ("flux_err", numbers(0 * truth.flux + truth.error))]
    long = np.where(np.arange(len(truth.flux)) < 9, 0.5, 1.0) * truth.exposure_s
    exposures = ("EXPTIME", numbers(long))
    for column, moment in (
        ("BJD_TDB_START", -1), ("Start BJD_TDB", -1), ("BJD_TDB_BEG", -1), ("BJD_TDB end", 1),
    ):  # fmt: skip
        times = (column, numbers(truth.bjd_tdb + moment * long / 2 / DAY_S))
        yield Case(f"{column} beside EXPTIME", [times, *flux, exposures], truth)
        yield Case(f"{column} alone", [times, *flux], truth, "refused")


def of_programs(truth: Truth, rng: np.random.Generator) -> Iterator[Case]:
    """Files of AAVSO, ExoClock, ETD, EXOTIC and of space telescopes."""
    jd, bjd, hjd, n = truth.jd_utc, truth.bjd_tdb, truth.hjd_utc, len(truth.flux)
    errors = numbers(np.full(n, truth.error), 6)
    flux, airmass = numbers(truth.flux, 6), numbers(np.linspace(1.1, 1.8, n), 4)
    mag, mag_error = _magnitudes(truth, float(rng.uniform(9, 13)))
    mags, mag_errors = numbers(mag, 5), numbers(np.full(n, mag_error), 5)
    for kind, values in (("JD_UTC", jd), ("HJD_UTC", hjd), ("HJD", hjd), ("BJD_TDB", bjd)):
        told = (
            "#TYPE=EXOPLANET", "#DELIM=,", f"#DATE_TYPE={kind}", "#EXPOSURE_TIME=30",
            "#MEASUREMENT_TYPE=Rnflux",
        )  # fmt: skip
        case = Case("", [], truth, comments=told, header="comment")
        rest = [("DIFF", numbers(0.3 * truth.flux, 7)), ("ERR", numbers(
            np.full(n, 0.3 * truth.error), 7)), ("DETREND_1", airmass)]  # fmt: skip
        columns = [("DATE", numbers(values)), *rest]
        yield replace(case, name=f"AAVSO, {kind}", columns=columns)
        if kind == "JD_UTC":
            columns = [("BJD_TDB", numbers(values)), *rest]
            yield replace(case, name="AAVSO that contradicts itself", columns=columns,
                          expect="refused")  # fmt: skip
    for kind, values in (("JD", jd), ("HJD", hjd)):
        told = ("#TYPE=EXTENDED", "#OBSCODE=ABC", f"#DATE={kind}", "#DELIM=,", "#OBSTYPE=CCD")
        words = [("TRANS", ["NO"] * n), ("MTYPE", ["STD"] * n), ("CNAME", ["ENSEMBLE"] * n),
                 ("CMAG", ["na"] * n), ("KNAME", ["na"] * n), ("KMAG", ["na"] * n)]  # fmt: skip
        columns = [
            ("NAME", ["STAR"] * n), ("DATE", numbers(values)), ("MAG", mags), ("MERR", mag_errors),
            ("FILT", ["V"] * n), *words, ("AMASS", airmass), ("GROUP", ["na"] * n),
            ("CHART", ["na"] * n), ("NOTES", ["na"] * n),
        ]  # fmt: skip
        case = Case(f"AAVSO extended, {kind}", columns, truth, comments=told, header="comment")
        yield case
        bare = replace(case, name=f"AAVSO extended without header, {kind}", header="none")
        yield bare
        stars = ["STAR" if k % 2 else "OTHER" for k in range(n)]
        yield replace(case, name=f"AAVSO extended, two stars, {kind}", expect="refused",
                      columns=[("NAME", stars), *columns[1:]])  # fmt: skip
    three = [("JD", numbers(jd)), ("m", mags), ("e", mag_errors)]
    yield Case("ETD without header", three, truth, "refused", header="none", separator=" ")
    choice = ColumnChoice(columns=("JD_UTC", "mag", "mag_err"))
    yield Case("ETD with --columns", three, truth, header="none", separator=" ", choice=choice)
    half = truth.exposure_s / 2 / DAY_S
    for service, stamp, shift in (
        ("ExoClock", "Exposure start", half), ("ExoClock", "Exposure end", -half),
        ("ETD", "Mid-exposure", 0),
    ):  # fmt: skip
        told = (
            "#Planet: Test b", "#Time format: JD_UTC", f"#Time stamp: {stamp}",
            "#Flux format: Flux", "#Filter: R",
            f"#Exposure time in seconds: {truth.exposure_s:.6f}",
        )  # fmt: skip
        columns = [("Time", numbers(jd - shift, 10)), ("Flux", flux), ("Flux uncertainty", errors)]
        yield Case(service, columns, truth, comments=told, header="comment", separator="\t")
    quality = [str(v) for v in np.where(np.arange(n) == 5, 128, 0)]
    pdc = numbers(812.5 * truth.flux, 5), numbers(np.full(n, 812.5 * truth.error), 5)
    for head in (("TIME", "PDCSAP_FLUX", "PDCSAP_FLUX_ERR", "QUALITY"),
                 ("time", "flux", "flux_err", "quality")):  # fmt: skip
        columns = list(zip(head, (numbers(bjd - 2457000), *pdc, quality), strict=True))
        columns.append(("sap_flux", numbers(800 * truth.flux, 5)))
        case = Case(f"{head[0]} of TESS", columns, truth, "refused", lost=frozenset({5}))
        days = bjd[0] - 2457000
        if days > 3600:  # no day of Kepler's
            yield replace(case, expect="read")
        elif days > 1325:
            yield case
        choice = ColumnChoice(time=head[0], time_kind="btjd")
        yield replace(case, name=f"{head[0]} of TESS, told", expect="read", choice=choice)


KINDS: tuple[Callable[[Truth, np.random.Generator], Iterator[Case]], ...] = (
    brightness, fills, columns_and_rows, times, moments, of_programs,
)  # fmt: skip


def cases(seed: int) -> Iterator[Case]:
    """Make every kind of table once, of a night drawn by the seed."""
    rng = np.random.default_rng(seed)
    truth = draw_truth(rng)
    for kind in KINDS:
        yield from kind(truth, rng)
