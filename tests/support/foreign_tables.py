"""Whole files as programs, spreadsheets and space telescopes write them, of odd_tables' nights.

Layouts are those that the programs' own documents and examples show.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from astropy.io import fits

import odd_tables
from lightcurve.tables.light_curves import ColumnChoice
from odd_tables import ANY, Case, Truth, numbers

Rows = Sequence[Sequence[str]]
EPOCH = datetime(2000, 1, 1, 12, tzinfo=UTC)


class Nothing:
    """In place of a pattern: matches nothing."""

    def fullmatch(self, _: str) -> None:
        return None


def _case(
    name: str,
    truth: Truth,
    content: str | bytes,
    expect: str = "read",
    choice: ColumnChoice = ANY,
    lost: frozenset[int] = frozenset(),
) -> Case:
    raw = content if isinstance(content, bytes) else content.encode()
    return Case(name, [], truth, expect, choice, lost=lost, content=raw)


def _lines(rows: Rows, separator: str = ",") -> str:
    return "".join(separator.join(row) + "\n" for row in rows)


def _three(truth: Truth, digits: int = 8) -> Rows:
    """BJD_TDB, flux and its error."""
    errors = numbers(np.full(len(truth.flux), truth.error), 6)
    columns = numbers(truth.bjd_tdb, digits), numbers(truth.flux, 6), errors
    return [*zip(*columns, strict=True)]


def _differential(truth: Truth, jd: np.ndarray) -> Rows:
    """Date, magnitude about -1 and its error, as differential photometry has them."""
    mag = -1.01 - 2.5 * np.log10(truth.flux)
    errors = numbers(np.full(len(mag), 1.0857 * truth.error), 5)
    return [*zip(numbers(jd, 8), numbers(mag, 6), errors, strict=True)]


def iso(truth: Truth) -> list[str]:
    """Dates of JD_UTC as text, to the millisecond."""
    moments = [EPOCH + timedelta(days=float(jd) - 2451545.0) for jd in truth.jd_utc]
    return [moment.isoformat(timespec="milliseconds")[:23] for moment in moments]


def layouts(truth: Truth, rng: np.random.Generator) -> Iterator[Case]:
    """Tables of programs with titles, units, heads in two lines and names of rows."""
    rows, n = _three(truth), len(truth.flux)
    body, head = _lines(rows), "BJD_TDB,flux,flux_err\n"
    yield _case(
        "EXOTIC",
        truth,
        "# BJD_TDB,Orbital Phase,Flux,Uncertainty,Model,Airmass\n"
        + _lines(
            [(t, f"{k / n - 0.5:.6f}", f, e, "1.0", "1.2") for k, (t, f, e) in enumerate(rows)],
            ", ",
        ),
    )
    yield _case("units in a row", truth, f"{head}d,,\n{body}")
    yield _case("units in brackets", truth, f"{head}[days],[rel],[rel]\n{body}")
    short = [(f"{float(t) - 2457000:.8f}", f, e) for t, f, e in rows]
    yield _case("the kind of date in the units", truth, "time,flux,err\nBTJD,,\n" + _lines(short))
    ppt = [(t, f"{1000 * (float(f) - 1):.4f}", f"{1000 * float(e):.4f}") for t, f, e in rows]
    ppt_head = "BJD_TDB,flux,flux_err\nd,ppt,ppt\n"
    yield _case("thousandths in the units", truth, ppt_head + _lines(ppt))
    title = "Transit of Test b, observed by A. N. Observer\nTelescope: 0.4 m\n\n"
    yield _case("a title above", truth, title + head + body)
    yield _case("a head in two lines", truth, f",Target,\n{head}{body}")
    yield _case("a title of a spreadsheet", truth, f"Light curve,,\n,,\n{head}{body}")
    ended = "".join(line + ",\n" for line in (head + body).splitlines())
    yield _case("each line ends in a comma", truth, ended)
    yield _case("rows end in a comma", truth, head + body.replace("\n", ",\n"))
    named = "".join(f'"{k + 1}" {" ".join(row)}\n' for k, row in enumerate(rows))
    yield _case("R's names of rows", truth, '"BJD_TDB" "flux" "flux_err"\n' + named)
    index = "".join(f"{k},{','.join(row)}\n" for k, row in enumerate(rows))
    yield _case("an index", truth, "," + head + index)
    yield _case("MATLAB's comments", truth, "% BJD_TDB flux flux_err\n" + _lines(rows, " "))
    barred = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    yield _case("fixed width", truth, "| BJD_TDB | flux | flux_err |\n" + barred)
    yield _case("head with commas, rows with blanks", truth, head + _lines(rows, "   "))
    yield _case("aligned by tabs", truth, head.replace(",", "\t") + "".join(
        "\t\t".join(row) + "\n" if k % 9 == 4 else "\t".join(row) + "\n"
        for k, row in enumerate(rows)))  # fmt: skip
    fortran = body.replace(",0.", ",0.").replace("0.001500", "0.1500D-02")
    yield _case("exponents with a D", truth, head + fortran)
    siril = _lines(_differential(truth, truth.jd_utc), " ")
    day = int(truth.jd_utc[0])
    yield _case("Siril", truth, f"#JD_UT (+ {day})\n# JD_UT V-C err\n{siril}")
    yield _case("HJD, differential", truth, "HJD_UTC V-C s1\n" + _lines(
        _differential(truth, truth.hjd_utc), " "))  # fmt: skip
    mmag = [(t, m, f"{1000 * float(e):.2f}") for t, m, e in _differential(truth, truth.jd_utc)]
    yield _case("errors in mmag", truth, "JD_UTC,dmag,dmag_err\n,mag,mmag\n" + _lines(mmag))
    aij = [(t, f"{0.31 * float(f):.7f}", f"{0.31 * float(e):.7f}", f, e) for t, f, e in rows]
    aij_head = "BJD_TDB\trel_flux_T1\trel_flux_err_T1\trel_flux_T1_n\trel_flux_err_T1_n\n"
    content = aij_head + _lines(aij, "\t")
    yield _case(
        "AstroImageJ, normalised", truth, content, choice=ColumnChoice(flux="rel_flux_T1_n")
    )
    yield _case("AstroImageJ, plain", truth, content)
    shown = [[t[:10], f, e] for t, f, e in rows]
    yield _case("times cut to two decimals", truth, head + _lines(shown), "refused")
    codes = [(*row, str(k % 2)) for k, row in enumerate(rows)]
    yield _case("two filters by number", truth, head[:-1] + ",Filter\n" + _lines(codes), "refused")
    several = [(*row, "AB" if k % 3 else "CD") for k, row in enumerate(rows)]
    head_of = head[:-1] + ",Observer Code\n"
    yield _case("two observers", truth, head_of + _lines(several), "refused")


def marks(truth: Truth, rng: np.random.Generator) -> Iterator[Case]:
    """Numbers, dates, gaps and encodings of many countries."""
    rows, n = _three(truth), len(truth.flux)
    head = ("BJD_TDB", "flux", "flux_err")
    comma = [[cell.replace(".", ",") for cell in row] for row in rows]
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), (" ", "blanks")):
        text = _lines([head, *comma], mark)
        yield _case(f"decimal commas, {name}", truth, text)
        yield _case(f"decimal commas, {name}, no header", truth, _lines(comma, mark),
                    choice=ColumnChoice(columns=head))  # fmt: skip
    quoted = [[f'"{cell}"' for cell in row] for row in comma]
    yield _case("decimal commas in quotes", truth, _lines([head, *quoted]))
    yield _case("decimal commas, commas", truth, _lines([head, *comma]), "refused")
    text = _lines([head, *comma], ";").replace("\n", "\r\n")
    yield _case("UTF-16", truth, text.encode("utf-16"))
    yield _case("a mark of byte order", truth, b"\xef\xbb\xbf" + text.encode())
    yield _case("old Mac's lines", truth, _lines([head, *rows]).replace("\n", "\r"))
    counts = [(t, 152000 * float(f), 152000 * float(e)) for t, f, e in rows]
    for group, point, name in (
        (",", ".", "English"), ("'", ".", "Swiss"), ("\u202f", ",", "French"), (".", ",", "German"),
    ):  # fmt: skip

        def spelt(value: float, digits: int, group: str = group, point: str = point) -> str:
            return f'"{value:,.{digits}f}"'.translate({ord(","): group, ord("."): point})

        several = [(spelt(float(t), 8), spelt(f, 1), spelt(e, 1)) for t, f, e in counts]
        yield _case(f"thousands, {name}", truth, _lines([head, *several], ";"))
    whole = [(t, f'"{round(f):,d}"', f"{e:.1f}") for t, f, e in counts]
    either = [(t, f'"{round(f):,d}"', f"{round(e):d}") for t, f, e in counts]
    yield _case("whole thousands, and points elsewhere", truth, _lines([head, *whole]), "either")
    yield _case("whole thousands", truth, _lines([head, *either]), "either")
    minus = [(t, m.replace("-", "\u2212"), e) for t, m, e in _differential(truth, truth.jd_utc)]
    yield _case("a minus of typesetters", truth, _lines([("JD_UTC", "dmag", "err"), *minus]))
    gone = frozenset(rng.choice(np.arange(1, n - 1), 6, replace=False).tolist())
    beside = [(t, f, "" if k in gone else e, "1.2") for k, (t, f, e) in enumerate(rows)]
    long = (*head, "AIRMASS")
    for mark, name in (("\t", "tabs"), (",", "commas"), (";", "semicolons")):
        text = _lines([long, *beside], mark)
        yield _case(f"errors missing, {name}", truth, text, lost=gone)
        named = ColumnChoice(columns=long)
        text = _lines(beside, mark)
        yield _case(f"errors missing, {name}, no header", truth, text, choice=named, lost=gone)
    text = _lines([long, *beside], " ").replace("  ", " ")
    yield _case("errors missing, blanks", truth, text, lost=gone)
    for word in ("--", "#N/A", "n/a", "<NA>"):
        text = _lines([long, *([c or word for c in row] for row in beside)])
        yield _case(f"errors missing, {word}", truth, text, lost=gone)
    spoilt = [(t, "cloud" if k in gone else f, e) for k, (t, f, e) in enumerate(rows)]
    yield _case("a word among the fluxes", truth, _lines([head, *spoilt]), "refused")
    yield _case(
        "a line of means below", truth, _lines([head, *rows, ("Mean", "1", "0")]), "refused"
    )
    yield from _as_dates(truth)


def _as_dates(truth: Truth) -> Iterator[Case]:
    dates, rows = iso(truth), _three(truth)
    chosen = ColumnChoice(time="date_utc")
    ends = {"": "read", "Z": "read", "+00:00": "read", " UTC": "read"}
    for end, expect in (ends | dict.fromkeys(("+02:00", "-0700", " CET"), "refused")).items():
        text = _lines([(d + end, f, e) for d, (_, f, e) in zip(dates, rows, strict=True)])
        yield _case(
            f"ISO dates{end or ', plain'}", truth, "date_utc,flux,err\n" + text, expect, chosen
        )
    for name, spelling in (
        ("days alone", [d[:10] for d in dates]),
        ("days first", [f"{d[8:10]}.{d[5:7]}.{d[:4]} {d[11:]}" for d in dates]),
        ("America's", [f"{d[5:7]}/{d[8:10]}/{d[:4]} {d[11:]}" for d in dates]),
    ):
        text = _lines([(d, f, e) for d, (_, f, e) in zip(spelling, rows, strict=True)])
        yield _case(f"dates, {name}", truth, "date_utc,flux,err\n" + text, "refused", chosen)


def missions(truth: Truth, rng: np.random.Generator) -> Iterator[Case]:
    """Light curves of TESS and Kepler, as FITS and as lightkurve writes them."""
    n = len(truth.flux)
    flux, error = 812.5 * truth.flux, np.full(n, 812.5 * truth.error)
    marked = frozenset({5})
    for mission, zero, bits in (("TESS", 2457000, "QUALITY"), ("Kepler", 2454833, "SAP_QUALITY"),
                                ("K2", 2454833, "SAP_QUALITY")):  # fmt: skip
        days = truth.bjd_tdb - zero
        # Excluded by hand; the other is a cosmic ray that was put right.
        by_hand, cosmic = (128, 64) if mission == "TESS" else (256, 128)
        quality = np.where(np.arange(n) == 5, by_hand, np.where(np.arange(n) == 7, cosmic, 0))
        for cards in ("reference", "mission"):
            table = fits.BinTableHDU.from_columns([
                fits.Column("TIME", "D", unit=f"BJD - {zero}, days", array=days),
                fits.Column("SAP_FLUX", "E", unit="e-/s", array=1.1 * flux[::-1]),
                fits.Column("PDCSAP_FLUX", "D", unit="e-/s", array=flux),
                fits.Column("PDCSAP_FLUX_ERR", "E", unit="e-/s", array=error),
                fits.Column(bits, "J", array=quality),
                fits.Column("CENTROIDS", "2E", array=np.ones((n, 2))),
            ])  # fmt: skip
            first = fits.PrimaryHDU()
            first.header["TELESCOP"] = "Kepler" if mission == "K2" else mission
            first.header["MISSION"] = mission
            if cards == "reference":
                table.header.update(BJDREFI=zero, BJDREFF=0.0, TIMESYS="TDB")
                del first.header["TELESCOP"], first.header["MISSION"]
            out = io.BytesIO()
            fits.HDUList([first, table]).writeto(out)
            yield _case(f"FITS of {mission}, by its {cards}", truth, out.getvalue(), lost=marked)
        columns = numbers(days, 8), numbers(flux, 5), numbers(error, 5), [str(q) for q in quality]
        rows = [*zip(*columns, strict=True)]
        head = ("time", "flux", "flux_err", "quality")
        said = f"# MISSION: {mission}\n# TELESCOP: {mission}\n"
        yield _case(f"text of {mission}", truth, said + _lines([head, *rows]), lost=marked)
        yield _case(f"text of {mission} unsaid", truth, _lines([head, *rows]), "refused")
        yield _case(f"ECSV of {mission}", truth, _ecsv(mission, zero) + _lines([head, *rows], " "),
                    lost=marked)  # fmt: skip
        full = [(t, *row[1:]) for t, row in zip(numbers(truth.bjd_tdb), rows, strict=True)]
        yield _case(f"whole dates in a table of {mission}", truth, said + _lines([head, *full]),
                    "refused")  # fmt: skip


def _ecsv(mission: str, zero: int) -> str:
    """Write the head of lightkurve's table in astropy's format."""
    kind = "btjd" if zero == 2457000 else "bkjd"
    names = ("time", "flux", "flux_err", "quality")
    columns = [f"# - {{name: {name}, datatype: float64}}" for name in names]
    said = [
        "# %ECSV 1.0", "# ---", "# datatype:", *columns, "# meta: !!omap",
        f"# - {{LABEL: {mission} 1}}", "# - __serialized_columns__:", "#     time:",
        "#       __class__: astropy.time.core.Time", f"#       format: {kind}",
        "#       scale: tdb", "#       value: !astropy.table.SerializedColumn {name: time}",
        "# schema: astropy-2.0",
    ]  # fmt: skip
    return "\n".join(said) + "\n"


KINDS: tuple[Callable[[Truth, np.random.Generator], Iterator[Case]], ...] = (
    layouts, marks, missions,
)  # fmt: skip


def all_cases(seed: int) -> Iterator[Case]:
    """Make every kind of table once, those of odd_tables first, of a night drawn by the seed."""
    yield from odd_tables.cases(seed)
    rng = np.random.default_rng([seed, 1])
    truth = odd_tables.draw_truth(rng)
    for kind in KINDS:
        for case in kind(truth, rng):
            yield replace(case, name=f"{kind.__name__}: {case.name}")
