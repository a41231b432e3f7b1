"""The page of one frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve import __version__
from lightcurve.catalogs.service import Catalog
from lightcurve.image_stages.figures import source_kinds
from lightcurve.image_stages.reduced import Reduced
from lightcurve.reference import describe_solution
from lightcurve.report.html import Section, Table, table_of
from lightcurve.report.image_page import ImagePage, write_page

MAX_SOURCES = 6000  # on the page; the catalogue has all
MAX_CARD = 8  # columns of a match
TAKES = {
    "Background, widths, PSF": ("background", "fwhm", "psf"),
    "Zero point": ("zero_point",),
    "Magnitudes": ("magnitudes", "aperture_psf", "completeness"),
    "Candidate transients": ("candidates",),
}


def write_image_page(
    path: Path, reduced: Reduced, captions: Mapping[Path, str], summary: Mapping[str, Any]
) -> Path:
    """Write the page.

    Parameters
    ----------
    path : Path
    reduced : Reduced
    captions : mapping of Path to str
        Figures.
    summary : mapping

    Returns
    -------
    Path
    """
    prepared, solution = reduced.prepared, reduced.placed.solution
    sources = reduced.sources
    ny, nx = prepared.frame.pixels.shape
    radius = max(float(sources.apertures.radii[sources.apertures.main]), 0.006 * max(nx, ny))
    page = ImagePage(
        title=prepared.frame.path.name,
        subtitle=solution.detail or describe_solution(solution),
        facts=_facts(summary),
        warnings=reduced.notes,
        sections=_sections(reduced, captions),
        pixels=prepared.frame.pixels,
        sources=_sources(reduced),
        radius_px=radius,
        centre=(float(summary["ra_deg"]), float(summary["dec_deg"])),
        width_deg=nx * solution.scale_arcsec / 3600,
        footer=f"lightcurve {__version__}, seed {reduced.settings.seed}",
    )
    return write_page(path, page)


def _facts(summary: Mapping[str, Any]) -> dict[str, str]:
    def number(name: str, form: str) -> str:
        value = summary[name]
        return "\N{EN DASH}" if value is None or not np.isfinite(value) else f"{value:{form}}"

    error = number("zero_point_err_mag", ".3f")
    zero = f"{number('zero_point_mag', '.3f')} \N{PLUS-MINUS SIGN} {error}"
    return {
        "Sources": f"{summary['sources']}",
        "Stars that fix the WCS": f"{summary['astrometry_stars']}",
        "Astrometric rms": f"{number('astrometry_rms_px', '.3f')} px",
        "FWHM": f"{number('fwhm_px', '.2f')} px, {number('fwhm_arcsec', '.2f')} arcsec",
        "Band": str(summary["band"] or "\N{EN DASH}"),
        "Zero point": zero,
        "Limit at 5 sigma": f"{number('limit_5_sigma_mag', '.2f')} mag",
        "Airmass": number("airmass", ".3f"),
    }


def _sections(reduced: Reduced, captions: Mapping[Path, str]) -> tuple[Section, ...]:
    sections = []
    for title, starts in TAKES.items():
        figures = {p: text for p, text in captions.items() if p.stem.startswith(starts)}
        tables = {
            "Zero point": (_zero_points(reduced), _limits(reduced)),
            "Candidate transients": _candidates(reduced),
        }.get(title, ())
        text = (reduced.transients.note,) if title.startswith("Cand") else ()
        sections.append(Section(title, tuple(t for t in text if t), figures, tables))
    services = table_of(
        {"service": r.title, "status": r.status, "rows": r.n, "reason": r.reason}
        for r in reduced.known.reports
    )
    values = Table(("value", "", "source"), reduced.prepared.values)
    return (
        *sections,
        Section("Catalogues and services", tables=(services,)),
        Section("Values", tables=(values,)),
    )


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
    limits = reduced.calibrated.limits
    rows = [
        {"sigma": one.snr, "measured (mag)": round(one.measured, 3),
         "by the noise equation (mag)": round(one.analytic, 3)} for one in limits.limits
    ]  # fmt: skip
    return table_of(rows, title=f"Limits, from {limits.n_blank} blank apertures")


def _candidates(reduced: Reduced) -> tuple[Table, ...]:
    search = reduced.transients
    rows = [
        {"rank": k, "source": int(reduced.table["id"][one.row]),
         "ra": f"{reduced.table['ra'][one.row]:.6f}",
         "dec": f"{reduced.table['dec'][one.row]:+.6f}",
         "mag": f"{reduced.calibrated.aperture.mag[one.row]:.3f}",
         "S/N": f"{reduced.sources.snr[one.row]:.0f}", "why": one.reason}
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
    rows = []
    for k in range(n):
        facts = [
            ("RA, Dec", f"{table['ra'][k]:.6f} {table['dec'][k]:+.6f}"),
            ("x, y", f"{table['x'][k]:.2f} {table['y'][k]:.2f}"),
            ("S/N", f"{table['snr'][k]:.1f}"),
            (aperture.text, f"{aperture.mag[k]:.3f} \N{PLUS-MINUS SIGN} {aperture.err[k]:.3f}"),
        ]
        if psf is not None:
            facts.append((psf.text, f"{psf.mag[k]:.3f} \N{PLUS-MINUS SIGN} {psf.err[k]:.3f}"))
        if table["flag_names"][k]:
            facts.append(("flags", str(table["flag_names"][k])))
        rows.append(
            {"id": k + 1, "x": round(float(table["x"][k]), 2), "y": round(float(table["y"][k]), 2),
             "ra": round(float(table["ra"][k]), 7), "dec": round(float(table["dec"][k]), 7),
             "kind": str(kinds[k]), "facts": facts, "matches": matches[k]}
        )  # fmt: skip
    return rows


def _matches(reduced: Reduced, n: int) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = [[] for _ in range(n)]
    for catalog in reduced.known.catalogs.values():
        pairs = reduced.placed.match(catalog)
        for source, row, separation, nearest in zip(
            pairs.source, pairs.row, pairs.separation_arcsec, pairs.nearest, strict=True
        ):
            if source < n:
                title = f"{catalog.title}{'' if nearest else ', farther'}"
                facts = [("id", str(catalog.ids[row])), ("separation", f"{separation:.2f} arcsec")]
                found[source].append({"title": title, "facts": facts + _known(catalog, row)})
    return found


def _known(catalog: Catalog, row: int) -> list[tuple[str, str]]:
    facts = []
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
