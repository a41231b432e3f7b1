"""From a night to its page: what report.html says."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lightcurve.core.constants import __version__
from lightcurve.core.data import (
    Finding,
    Influence,
    LightCurve,
    Planet,
    Result,
    Severity,
    TransitFit,
    label_results,
)
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.flags import NO_POINT, Flag
from lightcurve.core.quantities import QUANTITIES, TEXT, night_panels
from lightcurve.curve.quoted import judge_errors
from lightcurve.night.figures import FIGURES, ON_PAGE
from lightcurve.night.fit_products import SHOWN, predicted_events
from lightcurve.night.page_cube import with_cube
from lightcurve.night.page_pictures import film_part, picture_part
from lightcurve.night.page_sections import product_links, rests_on
from lightcurve.night.reduced import Night
from lightcurve.report.html import (
    Section,
    Table,
    as_printed,
    in_words,
    parameter_table,
    table_of,
)
from lightcurve.report.page.bundle import read_ahead, write_night_page
from lightcurve.report.page.contents import (
    Column,
    Curve,
    Fine,
    Frames,
    Lost,
    Numbers,
    Page,
    Star,
    Summary,
)
from lightcurve.tables.run_folder import Trusted, read_trust
from lightcurve.transit.smooth import smooth_model

TOLD_LOST = 0.1  # of the frames: so many lost are worth a look
TRUST_CAPTION = (
    "How often transits are found by their depth; depths found against those put in; how far what "
    "was found lies from the truth, in its errors; and where in the night transits were put."
)
BESIDE = ("file", "jd_utc", "bjd_tdb", "rel_flux", "rel_flux_err", "flags")  # told elsewhere


def write_page(
    path: Path,
    night: Night,
    figures: list[Path],
    *,
    summary: Mapping[str, Result],
    frames: list[dict[str, Any]],
    products: Collection[str] = (),
    begun: Page | None = None,
) -> Path:
    """Write report.html: the night on one page.

    figures: PNG files; frames: what became of each file; products: names of the
    run's files, to be linked; begun: from `begin_page`.
    """
    trusted = read_trust(path.parent, night.curve)
    page = begun or begin_page(path, night, summary=summary)
    page = _with_files(page, night, figures, frames=frames, products=products, trusted=trusted)
    return write_night_page(path, page)


def begin_page(path: Path, night: Night, *, summary: Mapping[str, Result]) -> Page:
    """Put together what waits for no figure: nearly all of what a page takes.

    path: of report.html, beside which stands what was found since.
    """
    read_ahead()
    page = _without_files(night, summary=summary, trusted=read_trust(path.parent, night.curve))
    return with_cube(page, night)


def page_of(
    night: Night,
    figures: list[Path],
    *,
    summary: Mapping[str, Result],
    frames: list[dict[str, Any]],
    products: Collection[str] = (),
    film: bool = True,
    trusted: Trusted | None = None,
) -> Page:
    """Collect what the page says; its film costs as much as all the rest."""
    page = _without_files(night, summary=summary, film=film, trusted=trusted)
    return _with_files(page, night, figures, frames=frames, products=products, trusted=trusted)


def _with_files(
    page: Page,
    night: Night,
    figures: list[Path],
    *,
    frames: list[dict[str, Any]],
    products: Collection[str],
    trusted: Trusted | None,
) -> Page:
    """Add what hangs on the files there are: sections and figures."""
    beside_fit = {"corner"} if night.fit is not None else set()
    sections = [
        *_of_fit(night, figures),
        *_put_in(trusted, figures),
        *rests_on(night, frames),
        product_links(products),
    ]
    shown = _captioned(figures, [n for n in ON_PAGE if n not in beside_fit])
    return replace(page, sections=sections, figures=shown)


def _without_files(
    night: Night,
    *,
    summary: Mapping[str, Result],
    film: bool = True,
    trusted: Trusted | None = None,
) -> Page:
    exposure_s = night.scene.reference.exposure.exposure_s  # as the fit has it
    return Page(
        title=_title(night),
        subtitle=_subtitle(night),
        verdict=_verdict(night, trusted),
        facts=_facts(summary),
        warnings=[*night.inventory.choice, *night.inventory.warnings],
        frames=_frames(night),
        lost=[Lost(r.file, r.reason, r.why.name.lower() if r.why else "") for r in night.failed],
        curve=own_curve(night.curve, night.fit, night.target.planet, exposure_s or 0.0),
        stars=_stars(night),
        covariates=night.fit.covariates if night.fit else (),
        flag_names={flag.name or "": int(flag) for flag in Flag},
        picture=picture_part(night),
        film=film_part(night) if film else None,
        footer=f"lightcurve {__version__}, seed {night.settings.seed}",
    )


def _captioned(figures: Sequence[Path], names: Sequence[str]) -> dict[Path, str]:
    """Pick figures by name, those that there are, with their captions."""
    files = {file.stem: file for file in figures}
    return {files[name]: FIGURES.get(name).caption for name in names if name in files}


def _facts(summary: Mapping[str, Result]) -> list[tuple[str, str]]:
    """List the numbers of the night, those of the transit first; what the heading says is not."""
    results = {name: r for name, r in summary.items() if name not in {"target", "verdict"}}
    first = {name: results.pop(name) for name in SHOWN if name in results}
    told = label_results(first | results)
    return [(label, as_printed(str(text))) for label, text in told.items()]


def _exposure_s(night: Night) -> float:
    known = night.measurements.exposure_s[np.isfinite(night.measurements.exposure_s)]
    return float(np.median(known)) if known.size else 0.0


def _title(night: Night) -> str:
    exposure, jd = night.scene.reference.exposure, night.curve.jd_utc
    seconds = _exposure_s(night)
    words = [
        night.target.planet.name if night.target.planet else night.target.name,
        in_dates(float(np.nanmin(jd)), float(np.nanmax(jd))) if np.isfinite(jd).any() else "",
        exposure.filter or "",
        f"{seconds:.3g} s" if seconds else "",
    ]
    return " \N{MIDDLE DOT} ".join(word for word in words if word)


def _subtitle(night: Night) -> str:
    """Telescope, camera, site, and when (UTC)."""
    exposure, site, jd = night.scene.reference.exposure, night.measurements.site, night.curve.jd_utc
    place = ""
    if site is not None:
        east, north = site.longitude_deg, site.latitude_deg
        place = (
            f"{abs(north):.3f}\N{DEGREE SIGN} {'N' if north >= 0 else 'S'}, "
            f"{abs(east):.3f}\N{DEGREE SIGN} {'E' if east >= 0 else 'W'}, {site.height_m:.0f} m"
        )
        place = f"{site.name} ({place})" if site.name else place
    span = ""
    if np.isfinite(jd).any():
        span = in_time(float(np.nanmin(jd)), float(np.nanmax(jd)))
    words = [exposure.telescope or "", exposure.camera or "", place, span]
    return " \N{MIDDLE DOT} ".join(word for word in words if word)


def in_dates(first: float, last: float) -> str:
    """Write the date of a night, or the first and last ones of several; Julian dates."""
    begin, end = (iso_from_jd(jd)[:10] for jd in (first, last))
    return begin if last - first < 1 else f"{begin} to {end}"


def in_time(first: float, last: float) -> str:
    """Write from when to when, Julian dates; the later date too where it is another night's."""
    begin, end = iso_from_jd(first), iso_from_jd(last)
    date = f"{end[:10]} " if last - first >= 1 else ""
    return f"{begin[:10]} {begin[11:16]} to {date}{end[11:16]} UTC"


def _verdict(night: Night, trusted: Trusted | None = None) -> Summary:
    verdict, fit = night.verdict, night.fit
    if verdict is None:
        text = f"Light curve of {night.target.name}. No planet was given, so no transit was fitted."
        return Summary("", text, _to_check(night, trusted))
    subject = night.target.planet.name if night.target.planet else night.target.name
    words = {
        Finding.TRANSIT: f"{subject} transits",
        Finding.PARTIAL: f"{subject} transits, seen in part",
        Finding.ELSEWHERE: f"{subject} transits at another time than predicted",
        Finding.NONE: f"No transit of {subject}",
        Finding.INCONCLUSIVE: f"Whether {subject} transits cannot be told",
        Finding.NOT_OBSERVED: f"No transit of {subject} was due in these hours",
    }
    text = words[verdict.finding] + (f": {verdict.reason}." if verdict.reason else ".")
    if fit is not None and fit.found:
        told = [
            f"{label} {in_words(fit.parameters[name])}"
            for name, label in (
                ("mid_time_bjd_tdb", "mid-transit"),
                ("o_minus_c_minutes", "observed minus predicted"),
                ("depth_percent", "depth"),
            )
            if name in fit.parameters
        ]
        sigma = verdict.depth_sigma
        sure = (
            ""
            if sigma is None
            else f"; {sigma:.0f} sigma over noise of any kind, wanders of the night included"
        )
        text = f"{text} {_sentence('; '.join(told))}{sure}."
    return Summary(verdict.finding.value, as_printed(text), _to_check(night, trusted))


def _sentence(text: str) -> str:
    """Begin with a capital."""
    return text[:1].upper() + text[1:]


def _to_check(night: Night, trusted: Trusted | None = None) -> tuple[str, ...]:
    """List what the reader should look at before believing: nothing, where all is well."""
    lost, tried = len(night.failed), len(night.failed) + len(night.measurements.file)
    quoted, star = judge_errors(night.curve), night.recipe.check_verdict
    guessed = [value for value in night.scene.values if value.guessed]
    notes = night.fit.notes if night.fit is not None else ()
    notes += () if trusted is None else trusted.notes
    by_hand = f"tuned by hand, {night.tuned}: lightcurve tune RUN --reset undoes it"
    checks = [
        *([by_hand] if night.tuned else []),
        *([f"check star {star}"] if star.troubles else []),
        *([str(quoted)] if quoted.severity is Severity.WARNING else []),
        *(str(note) for note in notes if note.severity is Severity.WARNING),
        *(f"taken for want of a better value: {value}" for value in guessed),
        *([f"{lost} of {tried} frames gave no measurement"] if lost > TOLD_LOST * tried else []),
    ]
    return tuple(map(as_printed, checks))


def _frames(night: Night) -> Frames:
    m, curve = night.measurements, night.curve
    columns: dict[str, Column] = {}
    for panel, series in night_panels(curve):
        for legend, values in series.items():
            name = f"{panel.label.split(' (')[0].lower()}{f'_{legend}' if legend else ''}"
            columns[name] = Column(
                values, "", panel.label, legend, panel=True, inverted=panel.inverted
            )
    told = (q for q in QUANTITIES if q.kind != TEXT and q.name not in {*BESIDE, *columns})
    for q in told:
        if q.panel is None or q.panel.series is not None:
            values = q.value(curve, m).astype(float)
            columns[q.name] = Column(values, q.unit, q.name.replace("_", " "))
    return Frames(
        file=[str(name) for name in curve.file],
        jd_utc=curve.jd_utc,
        bjd_tdb=curve.bjd_tdb,
        utc=[iso_from_jd(float(jd)) if np.isfinite(jd) else "" for jd in curve.jd_utc],
        columns=columns,
    )


def own_curve(
    curve: LightCurve, fit: TransitFit | None, planet: Planet | None, exposure_s: float
) -> Curve:
    """Lay out the program's own curve, with the fit where there is one."""
    predicted = {}
    if planet is not None and np.isfinite(curve.bjd_tdb).any():
        predicted = predicted_events(planet, curve)
    recipe = curve.recipe
    used = np.isfinite(curve.flux) & ((curve.flags & int(NO_POINT)) == 0)
    scatter = math.nan if recipe is None else recipe.target_scatter
    own = Curve(
        curve.flux,
        curve.flux_err,
        curve.flags,
        used,
        numbers=Numbers(scatter, n_points=int(used.sum())),
        predicted=predicted,
        rows=() if recipe is None else recipe.comparison_rows,
        weights=() if recipe is None else recipe.weights,
    )
    if fit is None:
        return own
    return replace(
        own,
        used=fit.used,
        trend=fit.trend,
        detrended=curve.flux / fit.trend,
        model=fit.model,
        residual=fit.residuals,
        fine=_fine(curve, fit, planet, exposure_s),
        numbers=_numbers(fit),
    )


def _fine(
    curve: LightCurve, fit: TransitFit, planet: Planet | None, exposure_s: float
) -> Fine | None:
    """Draw the fit between the points as figures do; None where it has no transit."""
    if planet is None:
        return None
    time, flux = smooth_model(fit, planet, exposure_s, curve.bjd_tdb)
    return Fine(time, flux) if time.size else None


def _numbers(fit: TransitFit) -> Numbers:
    def both(name: str) -> tuple[float, float]:
        p = fit.parameters.get(name)
        return (math.nan, math.nan) if p is None else (p.value, (p.upper - p.lower) / 2)

    (mid, mid_err), (ratio, ratio_err) = both("mid_time_bjd_tdb"), both("rp_over_rs")
    return Numbers(
        scatter=fit.statistics["residual_scatter_percent"] / 100,
        bic=fit.statistics.get("bic", math.nan),
        mid_time=mid,
        mid_time_err=mid_err,
        rp_over_rs=ratio,
        rp_over_rs_err=ratio_err,
        depth=both("depth_percent")[0] / 100,
        n_points=int(fit.used.sum()),
    )


def _stars(night: Night) -> list[Star]:
    plan = night.stars
    return [
        Star(
            row, str(plan.star_id[row]), str(plan.role[row]), str(plan.reason[row]),
            float(plan.ra_deg[row]), float(plan.dec_deg[row]),
            float(plan.x_ref[row]), float(plan.y_ref[row]),
        )
        for row in range(len(plan))
    ]  # fmt: skip


def _of_fit(night: Night, figures: list[Path]) -> list[Section]:
    """Lay out the fit, where there is one."""
    if night.fit is None:
        return []
    tables = (
        parameter_table(night.fit.parameters),
        table_of(map(_influence, night.fit.influences), title="What each covariate does"),
    )
    lines = tuple((as_printed(str(note)),) for note in night.fit.notes)
    notes = Table(("note",), lines, "What the fit rests on", folded=True)
    corner = _captioned(figures, ["corner"])
    told = (*(tables if night.fit.found else ()), notes)
    return [Section("Transit fit", figures=corner, tables=told)]


def _put_in(trusted: Trusted | None, figures: Sequence[Path]) -> list[Section]:
    """Lay out what transits put into the night's own noise say, where somebody put them in."""
    if trusted is None:
        return []
    shown = {file: TRUST_CAPTION for file in figures if file.stem == "trust"}
    lines = tuple(as_printed(_sentence(text)) + "." for text in trusted.conclusions)
    return [Section("Transits put into this night", lines, shown)]


def _influence(told: Influence) -> dict[str, str]:
    """Lay out what a covariate does: a row of the page."""
    share = told.radius_ratio_without / told.radius_ratio_err
    return {
        "covariate": told.covariate,
        "in the flux, %": f"{told.amplitude_percent:.2f} ± {told.amplitude_err_percent:.2f}",
        "without it: Rp/R*": f"{told.radius_ratio_without:+.4f} ({share:+.1f} sigma)",
        "mid-transit, min": f"{told.mid_time_without_minutes:+.2f}",
    }
