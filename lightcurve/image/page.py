"""The page of one frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.catalogs.layout import Catalog
from lightcurve.core.constants import __version__
from lightcurve.core.coordinates import format_coordinates
from lightcurve.image.figures import Part, part_of, source_kinds
from lightcurve.image.reduced import Calibrated, Magnitudes, Placed, Reduced
from lightcurve.report.html import ImagePage, Section, Table, table_of, write_page
from lightcurve.setup.solving import describe_solution

MAX_SOURCES = 6000  # on the page; the catalogue has all
MAX_CARD = 8  # columns of a match
PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


def write_image_page(
    path: Path, reduced: Reduced, captions: Mapping[Path, str], summary: Mapping[str, Any]
) -> Path:
    """Write the page; captions are by figure."""
    prepared, placed, sources = reduced.prepared, reduced.placed, reduced.sources
    ny, nx = prepared.frame.pixels.shape
    radius = max(float(sources.apertures.radii[sources.apertures.main]), 0.006 * max(nx, ny))
    centre = placed.centre_deg((ny, nx))
    page = ImagePage(
        title=prepared.frame.path.name,
        subtitle=_subtitle(placed),
        facts=_facts(summary, reduced.calibrated),
        warnings=reduced.notes,
        sections=_sections(reduced, captions),
        pixels=prepared.frame.pixels,
        sources=_sources(reduced),
        radius_px=radius,
        centre=None if placed.unsolved else centre,
        width_deg=nx * placed.scale_arcsec / 3600,
        footer=f"lightcurve {__version__}, seed {reduced.settings.seed}",
    )
    return write_page(path, page)


def _subtitle(placed: Placed) -> str:
    solution = placed.solution
    if solution is None:
        return "Not solved: measured as far as that needs no place on the sky"
    return solution.detail or describe_solution(solution)


def _facts(summary: Mapping[str, Any], calibrated: Calibrated) -> dict[str, str]:
    """Collect the numbers at the head of the page; what is not known is left out."""
    kind = "mag" if calibrated.aperture.zero_point is not None else "inst_mag"
    both = f" {PLUS_MINUS} "
    centre = summary["ra_deg"], summary["dec_deg"]
    facts = {
        "Centre": format_coordinates(*centre) if np.isfinite(centre).all() else "",
        "Sources": f"{summary['sources']}",
        "FWHM": _numbers(summary, ("fwhm_px", ".2f", "px"), ("fwhm_arcsec", ".2f", "arcsec")),
        "Ellipticity": _numbers(summary, ("ellipticity", ".3f", "")),
        "Stars that fix the WCS": f"{summary['astrometry_stars'] or 'none'}",
        "Astrometric rms": _numbers(summary, ("astrometry_rms_px", ".3f", "px")),
        "Magnitudes": calibrated.band,
        "Zero point": _numbers(
            summary, ("zero_point_mag", ".3f", ""), ("zero_point_err_mag", ".3f", ""), join=both
        ),
        "Limit at 5 sigma": _numbers(summary, (f"limit_5_sigma_{kind}", ".2f", "mag")),
        "Airmass": _numbers(summary, ("airmass", ".3f", "")),
    }
    return {name: value for name, value in facts.items() if value}


def _numbers(summary: Mapping[str, Any], *wanted: tuple[str, str, str], join: str = ", ") -> str:
    """Write the values that are known, with their units."""
    known = [(summary[name], form, unit) for name, form, unit in wanted]
    return join.join(
        f"{value:{form}} {unit}".strip()
        for value, form, unit in known
        if value is not None and np.isfinite(value)
    )


def _sections(reduced: Reduced, captions: Mapping[Path, str]) -> tuple[Section, ...]:
    sections, search = [], reduced.transients
    none = "There is none: magnitudes are instrumental, \N{MINUS SIGN}2.5 log10(ADU / s)."
    none = "" if reduced.calibrated.aperture.zero_point is not None else none
    for title in Part:
        figures = {path: text for path, text in captions.items() if part_of(path) is title}
        tables = {
            Part.ZERO_POINT: (_zero_points(reduced), _limits(reduced)),
            Part.CANDIDATES: _candidates(reduced),
        }.get(title, ())
        text = {Part.ZERO_POINT: none or _formula(reduced.calibrated), Part.CANDIDATES: search.note}
        told = text.get(title, "")
        sections.append(Section(title, (told,) if told else (), figures, tables))
    services = table_of(
        {"service": r.title, "status": r.status, "rows": r.n, "reason": r.reason}
        for r in reduced.known.reports
    )
    values = Table(("value", "", "source"), tuple(v.row for v in reduced.prepared.values))
    return (
        *sections,
        Section("Catalogues and services", tables=(services,)),
        Section("Values", tables=(values,)),
    )


def _formula(calibrated: Calibrated) -> str:
    """Say how the standards' magnitudes were made, where the catalogue has other bands."""
    standards = calibrated.standards
    if standards is None or not standards.formula:
        return ""
    return f"{standards.band} {standards.formula}."


def _zero_points(reduced: Reduced) -> Table:
    rows = []
    for kind in reduced.calibrated.kinds:
        zero = kind.zero_point
        if zero is None:
            continue
        rows.append(
            {"flux": kind.text, "zero point": f"{zero.value:.4f}", "error": f"{zero.err:.4f}",
             "scatter": f"{zero.scatter:.4f}", "stars": zero.n_used,
             "colour term": f"{zero.colour_term:+.4f}" if zero.colour_term else "none"}
        )  # fmt: skip
    return table_of(rows, title="Each kind of flux has its own zero point")


def _limits(reduced: Reduced) -> Table:
    limits, band = reduced.calibrated.limits, reduced.calibrated.band
    rows = [
        {"sigma": one.snr, "measured (mag)": round(one.measured, 3),
         "by the noise equation (mag)": round(one.analytic, 3)} for one in limits.limits
    ]  # fmt: skip
    return table_of(rows, title=f"Limits, {band}, from {limits.n_blank} blank apertures")


def _candidates(reduced: Reduced) -> tuple[Table, ...]:
    search = reduced.transients
    rows = [
        {"rank": k, "source": int(reduced.table["id"][one.row]),
         "ra": f"{reduced.table['ra'][one.row]:.6f}",
         "dec": f"{reduced.table['dec'][one.row]:+.6f}",
         "mag": f"{reduced.calibrated.aperture.shown[one.row]:.3f}",
         "S/N": f"{reduced.table['snr'][one.row]:.0f}", "why": one.reason}
        for k, one in enumerate(search.candidates, start=1)
    ]  # fmt: skip
    vetoes = [{"veto": reason, "sources": n} for reason, n in search.vetoes.items()]
    return (table_of(rows), table_of(vetoes, title="Why the others are none"))


def _sources(reduced: Reduced) -> list[dict[str, Any]]:
    """Collect what the page knows of each source."""
    table, kinds = reduced.table, source_kinds(reduced)
    n = min(len(table), MAX_SOURCES)
    matches = _matches(reduced, n)
    psf, aperture = reduced.calibrated.psf, reduced.calibrated.aperture
    solved = not reduced.placed.unsolved
    rows = []
    for k in range(n):
        place = [("RA, Dec", f"{table['ra'][k]:.6f} {table['dec'][k]:+.6f}")] if solved else []
        facts = [
            *place,
            ("x, y", f"{table['x'][k]:.2f} {table['y'][k]:.2f}"),
            ("S/N", f"{table['snr'][k]:.1f}"),
            *(_magnitude(kind, k) for kind in (aperture, psf) if kind is not None),
        ]
        if table["flag_names"][k]:
            facts.append(("flags", str(table["flag_names"][k])))
        row = {
            "id": k + 1, "x": round(float(table["x"][k]), 2), "y": round(float(table["y"][k]), 2),
            "kind": str(kinds[k]), "facts": facts, "matches": matches[k],
        }  # fmt: skip
        if solved:
            row |= {name: round(float(table[name][k]), 7) for name in ("ra", "dec")}
        rows.append(row)
    return rows


def _magnitude(kind: Magnitudes, k: int) -> tuple[str, str]:
    name = kind.text if kind.zero_point is not None else f"{kind.text}, instrumental"
    return name, f"{kind.shown[k]:.3f} {PLUS_MINUS} {kind.shown_err[k]:.3f}"


def _matches(reduced: Reduced, n: int) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = [[] for _ in range(n)]
    for name, catalog in reduced.known.catalogs.items():
        pairs = reduced.pairs[name]
        for source, row, separation, nearest in zip(
            pairs.source, pairs.row, pairs.separation_arcsec, pairs.nearest, strict=True
        ):
            if source < n:
                title = f"{catalog.title}{'' if nearest else ', farther'}"
                facts = [("id", str(catalog.ids[row])), ("separation", f"{separation:.2f} arcsec")]
                found[source].append({"title": title, "facts": facts + _known(catalog, row)})
    return found


def _known(catalog: Catalog, row: int) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    for name, column in catalog.columns.items():
        value = column.values[row]
        if name.endswith("_err") or len(facts) == MAX_CARD:
            continue
        if column.values.dtype.kind == "U":
            if value:
                facts.append((name, str(value)))
        elif np.isfinite(value):
            facts.append((name, f"{value:.6g} {column.unit}".strip()))
    return facts
