"""Write what one frame gave: catalogue, maps, figures, page, zip."""

from __future__ import annotations

from pathlib import Path

from lightcurve.core.data import Products
from lightcurve.core.progress import Clock
from lightcurve.frames.names import fits_stem
from lightcurve.image.figures import source_kinds, write_figures
from lightcurve.image.folder import SUMMARY
from lightcurve.image.page import write_image_page
from lightcurve.image.reduced import Reduced, summarise
from lightcurve.image.table import match_table
from lightcurve.image.write import (
    write_candidates,
    write_catalog,
    write_header,
    write_maps,
    write_regions,
    write_summary,
    write_zip,
)


def write_products(out: Path, reduced: Reduced, clock: Clock, state: str = "") -> Products:
    """Write every file of one frame.

    state: of the frame and the settings, kept in the summary.
    """
    summary = summarise(reduced)
    with clock("write"):
        paths = write_catalog(out, reduced.table, summary)
        if reduced.placed.solution is not None:
            paths["matches.csv"] = _matches(out / "matches.csv", reduced)
        paths["header.txt"] = write_header(out / "header.txt", reduced.prepared.frame.header)
        paths |= write_maps(out, reduced)
        radius = float(reduced.sources.apertures.radii[reduced.sources.apertures.main])
        paths["regions.reg"] = write_regions(
            out / "regions.reg",
            reduced.table,
            (radius, reduced.placed.scale_arcsec),
            source_kinds(reduced) == "candidate",
        )
        paths["transients.csv"] = write_candidates(out / "transients.csv", reduced)
    with clock("figures"):
        captions = write_figures(out / "figures", reduced)
        paths |= {f"figures/{path.name}": path for path in captions}
        page = out / "report.html"
        paths["report.html"] = write_image_page(page, reduced, captions, summary)
    frame = reduced.prepared.frame.path
    paths["summary.json"], paths["zip"] = out / SUMMARY, out / f"{fits_stem(frame)}.zip"
    # Last, and the products by name: a folder that a summary calls reduced is whole.
    whole = {
        **summary, "path": str(frame.resolve()), "state": state,
        "products": sorted(path.relative_to(out).as_posix() for path in paths.values()),
    }  # fmt: skip
    write_summary(out / SUMMARY, whole)
    write_zip(paths["zip"], out, [*paths.values(), out / "run.log"])
    return Products(out, paths, dict(clock.timings_s), summary)


def _matches(path: Path, reduced: Reduced) -> Path:
    from io import StringIO

    from lightcurve.core.files import write_text

    text = StringIO()
    match_table(reduced.known.catalogs, reduced.pairs).write(text, format="ascii.csv")
    return write_text(path, text.getvalue())
