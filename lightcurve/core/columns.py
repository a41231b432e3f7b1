"""What our tables are: their columns with units, and the version of their layout.

A column never changes its meaning: one that means something else gets another name, so that a table
that was parted from its description, older or newer than its reader, gives the same numbers or
none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightcurve.core.quantities import QUANTITIES, TEXT, WHOLE, Column
from lightcurve.core.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from astropy.table import Table

__all__ = [
    "COMPARISONS",
    "FRAMES",
    "LIGHTCURVE",
    "MODEL",
    "NEIGHBOURS",
    "PHOTOMETRY",
    "STARS",
    "TableFormat",
]


@dataclass(frozen=True, slots=True)
class TableFormat:
    """One of our tables.

    name, title : of the file, and what stands in it.
    columns : in the order of the file; those for which no value is given are left out.
    essential : columns without which it is not this table.
    major : rises when older programs would read the table wrongly.
    """

    name: str
    title: str
    columns: Iterable[Column]
    essential: tuple[str, ...]
    major: int = 1

    @property
    def version(self) -> tuple[int, int]:
        """Of the layout: `major`, and the number of columns, which rises with each."""
        return self.major, len(tuple(self.columns))

    def lay_out(self, values: Mapping[str, np.ndarray]) -> Table:
        """Make an astropy table of (n,) arrays by column, with units and descriptions.

        Columns that the layout does not know stand at the end.
        """
        from astropy import table

        known = [column for column in self.columns if column.name in values]
        known += [Column(name, "") for name in values if name not in {c.name for c in known}]
        return table.Table(
            [
                table.Column(
                    values[c.name].astype(str) if c.kind == TEXT else values[c.name],
                    name=c.name,
                    unit=c.unit or None,
                    description=c.description or None,
                )
                for c in known
            ]
        )


TABLES: Registry[TableFormat] = Registry("table")


def columns_in_markdown(columns: Iterable[Column]) -> str:
    """Lay columns out as the table in the documentation."""
    lines = ["| column | unit | what it is |", "|---|---|---|"]
    lines += [f"| `{c.name}` | {c.unit} | {c.description} |" for c in columns]
    return "\n".join(lines) + "\n"


_PLACE = (Column("ra_deg", "right ascension, ICRS", "deg"), Column("dec_deg", "declination", "deg"))

FILE, JD_UTC, BJD_TDB = (QUANTITIES.get(name) for name in ("file", "jd_utc", "bjd_tdb"))


LIGHTCURVE = TABLES.register(
    TableFormat(
        "lightcurve.csv",
        "Light curve, one row a frame",
        QUANTITIES,
        essential=("rel_flux", "rel_flux_err", "flags"),
    )
)

STARS = TABLES.register(
    TableFormat(
        "stars.csv",
        "Every star considered",
        (
            Column("star", "its name: T1 the target, S2, S3 ... the others", kind=TEXT),
            Column("role", "`target`, `comparison`, `check` or `field`", kind=TEXT),
            *_PLACE,
            Column("x_ref", "on the reference frame", "pix"),
            Column("y_ref", "on the reference frame", "pix"),
            Column("flux_ref", "on the reference frame", "adu"),
            Column("peak_ref", "brightest pixel on the reference frame", "adu"),
            Column("weight", "in the ensemble"),
            Column("scatter", "against the others of the ensemble"),
            Column("reason", "why it has this role", kind=TEXT),
        ),
        essential=("star", "role"),
    )
)

COMPARISONS = TABLES.register(
    TableFormat(
        "comparisons.csv",
        "Every comparison star against the others, and the check star against all",
        (
            FILE,
            JD_UTC,
            Column("star", "C and K with its number in stars.csv: the check star is K", kind=TEXT),
            Column("rel_flux", "of median 1; empty where it was not well measured"),
            Column("rel_flux_err", "one sigma"),
        ),
        essential=("file", "jd_utc", "star", "rel_flux", "rel_flux_err"),
    )
)

FRAMES = TABLES.register(
    TableFormat(
        "frames.csv",
        "Every file found",
        (
            FILE,
            Column("kind", "such as `light`, `bias`, `dark`, `flat`", kind=TEXT),
            Column("kind_source", "what told the kind", kind=TEXT),
            Column("filter", "normalised name", kind=TEXT),
            Column("exposure_s", "exposure", "s"),
            Column("mid_utc", "mid-exposure: date, UTC", kind=TEXT),
            Column("binning", "such as 2x2", kind=TEXT),
            Column("temperature_c", "of the camera", "deg_C"),
            Column("nx", "width", "pix", kind=WHOLE),
            Column("ny", "height", "pix", kind=WHOLE),
            Column("use", "yes or no", kind=TEXT),
            Column(
                "status", "`measured`, `failed`, `unused`; `ok` for calibration frames", kind=TEXT
            ),
            Column("reason", "of the status", kind=TEXT),
            JD_UTC,
            Column("hjd_utc", "mid-exposure: heliocentric Julian date, UTC", "d"),
            BJD_TDB,
            Column("n_detected", "stars detected", kind=WHOLE),
            Column("n_matched", "stars matched with the reference frame", kind=WHOLE),
            Column("rms_px", "of the registration", "pix"),
            Column(
                "found_by",
                "what told its place, such as `pattern`, `few stars`",
                kind=TEXT,
            ),
            Column("fwhm_px", "median over the frame's stars", "pix"),
            Column("sky", "level of the frame", "adu"),
        ),
        essential=("file",),
    )
)

PHOTOMETRY = TABLES.register(
    TableFormat(
        "photometry.csv",
        "Every star at every radius in every frame",
        (
            FILE,
            JD_UTC,
            BJD_TDB,
            Column("star", "its name in stars.csv", kind=TEXT),
            Column("x", "of the star", "pix"),
            Column("y", "of the star", "pix"),
            Column("sky", "level around the star", "adu"),
            Column("fwhm_px", "of the star", "pix"),
            Column("radius", "of the aperture", "pix"),
            Column("flux", "above the sky", "adu"),
            Column("flux_err", "one sigma", "adu"),
            Column("peak", "brightest pixel", "adu"),
            Column("flags", "sum of the flags; 0 when nothing is wrong", kind=WHOLE),
        ),
        essential=("file", "star", "radius", "flux", "flux_err", "flags"),
    )
)

NEIGHBOURS = TABLES.register(
    TableFormat(
        "nebs.csv",
        "Every star near the target, as an eclipsing binary that could feign the transit",
        (
            Column("star", "its name in stars.csv", kind=TEXT),
            *_PLACE,
            Column("separation_arcsec", "from the target", "arcsec"),
            Column("position_angle_deg", "from the target, north through east", "deg"),
            Column("delta_mag", "fainter than the target by this", "mag"),
            Column("rms_ppt", "of its curve, parts per thousand"),
            Column("depth_ppt", "of the eclipse that would feign the transit, parts per thousand"),
            Column("ratio", "depth over rms"),
            Column("disposition", "`Cleared`, `Likely cleared`, `Not cleared` ...", kind=TEXT),
        ),
        essential=("star", "disposition"),
    )
)

MODEL = TABLES.register(
    TableFormat(
        "model.csv",
        "The light curve with its fit",
        (
            FILE,
            JD_UTC,
            BJD_TDB,
            Column("rel_flux", "as in lightcurve.csv"),
            Column("rel_flux_err", "as in lightcurve.csv"),
            Column("trend", "systematics alone"),
            Column("model", "transit alone"),
            Column("detrended_flux", "`rel_flux` over `trend`"),
            Column("residual", "what is left"),
            Column("used", "1 for points of the fit, 0 for those left out", kind=WHOLE),
        ),
        essential=("file", "jd_utc", "trend", "model", "residual", "used"),
    )
)
