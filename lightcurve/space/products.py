"""What is left behind of a star seen from space: light curves for other programs, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from lightcurve.core.constants import __version__
from lightcurve.core.data import Planet, Result
from lightcurve.core.files import json_text, write_text, write_whole
from lightcurve.core.flags import NO_POINT
from lightcurve.report.html import Section, Table
from lightcurve.report.space import (
    SectorShown,
    TransitShown,
    save_pixels,
    save_sectors,
    save_transits,
)
from lightcurve.season.page import write_season_page
from lightcurve.tables.missions import MISSIONS, mission_told
from lightcurve.transit.fit_values import planet_values

if TYPE_CHECKING:
    from lightcurve.season.story import Season
    from lightcurve.space.story import SpaceRun
    from lightcurve.space.take import SpaceCurve

KEPT_CARDS = ("OBJECT", "TICID", "KEPLERID", "SECTOR", "QUARTER", "CAMPAIGN", "MISSION")
BY_HAND = {"TESS": 128, "Kepler": 256}  # the bit of what is left out, where the file has none


def write_curve(out: Path, one: SpaceCurve) -> Path:
    """Write a light curve as the mission's own light-curve files have it: LABEL.fits.

    PDCSAP_FLUX is without shifts and other stars' light, where these are known; SAP_FLUX has both.
    """
    curve, pixels = one.curve, one.pixels
    mission = MISSIONS[mission_told(one.told) or "TESS"]
    zero = 2457000 if mission.filter == "TESS" else 2454833
    share = curve.dilution.value if curve.dilution else 1.0
    unit = "e-/s" if pixels else ""
    level = 1.0 if pixels is None else float(np.nanmedian(pixels.measured.flux))
    raw = level * curve.flux if pixels is None else pixels.measured.raw
    own = level * (1 - (1 - curve.flux) / share)
    quality = quality_of(one, BY_HAND[mission.filter])
    n = len(curve.flux)
    values = {
        "TIME": ("D", curve.bjd_tdb - zero, f"BJD - {zero}, days"),
        "TIMECORR": ("E", np.zeros(n), "d"),
        "CADENCENO": ("J", np.arange(n), ""),
        "SAP_FLUX": ("E", raw, unit),
        "SAP_FLUX_ERR": ("E", level * curve.flux_err, unit),
        "SAP_BKG": ("E", np.full(n, np.nan) if pixels is None else pixels.measured.sky, "e-/s"),
        "PDCSAP_FLUX": ("E", own, unit),
        "PDCSAP_FLUX_ERR": ("E", level * curve.flux_err / share, unit),
        "QUALITY" if mission.filter == "TESS" else "SAP_QUALITY": ("J", quality, ""),
    }
    table = fits.BinTableHDU.from_columns([
        fits.Column(name, kind, unit=of or None, array=array)
        for name, (kind, array, of) in values.items()
    ], name="LIGHTCURVE")  # fmt: skip
    exposure = (curve.source.exposure_s if curve.source else None) or 0.0
    table.header.update(
        BJDREFI=zero, BJDREFF=0.0, TIMEUNIT="d", TIMESYS="TDB", TIMEREF="SOLARSYSTEM",
        TIMEDEL=exposure / 86400, CROWDSAP=share,
    )  # fmt: skip
    first = fits.PrimaryHDU()
    first.header.update(
        TELESCOP=mission.filter, ORIGIN="lightcurve", CREATOR=f"lightcurve {__version__}"
    )
    for key in KEPT_CARDS:
        if key in one.told:
            value = one.told[key]
            first.header[key] = int(value) if value.isdigit() else value[:60]
    if one.place is not None:
        first.header.update(RA_OBJ=one.place[0], DEC_OBJ=one.place[1])
    hdus = fits.HDUList([first, table, *aperture_of(one)])
    path = out / "lightcurves" / f"{one.label}.fits"
    return write_whole(path, hdus.writeto, parents=True)


def quality_of(one: SpaceCurve, by_hand: int) -> np.ndarray:
    """Take the mission's bits, (n,) int; what was left out and has none is marked by hand."""
    bits = np.nan_to_num(one.quality).astype(np.int32)
    lost = (one.curve.flags & int(NO_POINT)) != 0
    return np.where(lost & (bits == 0) & np.isfinite(one.curve.flux), by_hand, bits)


def aperture_of(one: SpaceCurve) -> list[fits.ImageHDU]:
    """Lay the aperture out as an extension: 1 for a pixel there is, 2 for one that was summed."""
    if one.pixels is None:
        return []
    measured = one.pixels.measured
    mask = np.isfinite(measured.image).astype(np.int32) + 2 * measured.aperture
    return [fits.ImageHDU(mask, name="APERTURE")]


def draw_pixels(out: Path, curves: Sequence[SpaceCurve]) -> dict[str, Path]:
    """Draw the pixels of each file that has some."""
    drawn = {}
    for one in curves:
        if one.pixels is not None:
            measured = one.pixels.measured
            name = f"figures/pixels-{one.label}.png"
            path = figure_path(out, name)
            title = f"{one.label}: {int(measured.aperture.sum())} pixels summed"
            drawn[name] = save_pixels(
                path, measured.image, measured.aperture, measured.sky_pixels, one.pixels.place,
                title=title,
            )  # fmt: skip
    return drawn


def figure_path(out: Path, name: str) -> Path:
    """Make the folder of a figure."""
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def draw_sectors(
    out: Path, curves: Sequence[SpaceCurve], planet: Planet | None, season: Season | None
) -> dict[str, Path]:
    """Draw whole light curves, with the transits that were found, or else expected, marked."""
    shown = []
    for one in curves:
        good = one.good
        time, flux = one.curve.bjd_tdb[good], one.curve.flux[good]
        middles = np.zeros(0)
        if season is not None:
            inside = (season.times.mid >= time.min()) & (season.times.mid <= time.max())
            middles = season.times.mid[inside]
        elif planet is not None:
            first, last = (
                (t - planet.t0_bjd_tdb) / planet.period_days for t in (time.min(), time.max())
            )
            epochs = np.arange(np.ceil(first), np.floor(last) + 1)
            middles = planet.t0_bjd_tdb + planet.period_days * epochs
        shown.append(SectorShown(one.label, time, flux, middles))
    what = "found" if season is not None else "expected"
    marks = len({round(mid, 3) for one in shown for mid in one.middles.tolist()})
    title = f"{planet.name if planet else shown[0].label}: {marks} transits {what}"
    name = "figures/sectors.png"
    return {name: save_sectors(figure_path(out, name), shown, title=title)}


def draw_season(out: Path, season: Season | None) -> dict[str, Path]:
    """Draw each transit in its place."""
    if season is None:
        return {}
    shown = []
    for night, epoch in zip(season.found, season.times.epoch, strict=True):
        if night.fit is None or night.curve is None:
            continue
        used, expected = night.fit.used, float(season.known.at(np.array(epoch)))
        shown.append(TransitShown(
            f"epoch {epoch}",
            24 * (night.curve.bjd_tdb[used] - expected),
            night.curve.flux[used] / night.fit.trend[used],
            night.fit.model[used],
            24 * (night.fit.parameters["mid_time_bjd_tdb"].value - expected),
        ))  # fmt: skip
    name = "figures/transits.png"
    title = f"{season.planet.name}: {len(shown)} transits, each without its trend"
    return {name: save_transits(figure_path(out, name), shown, title=title)}


def write_page(
    out: Path, curves: Sequence[SpaceCurve], season: Season, figures: Mapping[str, Path]
) -> Path:
    """Write the season's page with the files, what was done to each, and figures of them."""
    captions = {
        "figures/sectors.png": "Whole light curves; the transits are marked.",
        "figures/transits.png": "Each transit about its predicted middle, without its trend.",
    }
    pixels = "The median picture, with the pixels summed, and those of the sky."
    shown = {
        path: captions.get(name, pixels)
        for name, path in figures.items()
        if name.startswith("figures/")
    }
    rows = tuple(
        (one.label, f"{one.good.sum()} of {len(one.good)}", "; ".join(one.notes)) for one in curves
    )
    files = Table(("file", "points", "what was done"), rows)
    made = season.products.paths
    return write_season_page(
        out / "report.html", season, season.products.summary,
        {name: made[f"figures/{name}.png"] for name in ("o_minus_c", "folded")},
        (Section("Files", (), shown, (files,)),),
    )  # fmt: skip


def summarise(run: SpaceRun) -> dict[str, Result]:
    """Collect what is worth printing: of the season, where there is one, and of each file."""
    told = dict(run.season.products.summary) if run.season else {}
    if run.season is None:
        found = run.planet.name if run.planet else "no transits"
        told["verdict"] = Result(found, "", "found", found if run.planet is None else
                                 f"no transit of {found} shows")  # fmt: skip
    for one in run.curves:
        good, exposure = int(one.good.sum()), one.curve.source and one.curve.source.exposure_s
        scatter = (
            ""
            if one.pixels is None
            else (f", {int(one.pixels.measured.aperture.sum())} pixels summed")
        )
        text = f"{good} of {len(one.curve.flux)} points, {exposure or 0:.6g} s{scatter}"
        told[f"file:{one.label}"] = Result(good, "points", one.label, text)
    if run.box is not None and run.box.found:
        box = run.box
        text = (
            f"{box.period:.6g} d, {100 * box.depth:.3g} % deep, {24 * box.duration:.3g} h long, by "
            "boxes: planet.toml"
        )
        told["box_period_days"] = Result(box.period, "d", "transits searched for", text)
    return told


def write_summary(out: Path, run: SpaceRun, summary: dict[str, Result]) -> Path:
    """Write summary.json."""
    content: dict[str, Any] = {
        "results": {name: one.record for name, one in summary.items()},
        "planet": None if run.planet is None else planet_values(run.planet),
        "files": [
            {
                "label": one.label, "path": str(one.path), "cards": one.told,
                "points": len(one.curve.flux), "used": int(one.good.sum()),
                "exposure_s": one.curve.source.exposure_s if one.curve.source else None,
                "share_of_light": one.curve.dilution.value if one.curve.dilution else None,
                "notes": one.notes,
            }
            for one in run.curves
        ],
        "version": __version__,
    }  # fmt: skip
    return write_text(out / "summary.json", json_text(content, indent=2))
