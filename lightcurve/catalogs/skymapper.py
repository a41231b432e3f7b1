"""SkyMapper DR4 photometry, uvgriz, south of declination +16."""

from __future__ import annotations

from lightcurve.catalogs.layout import Layout, Role, Service, Wanted
from lightcurve.catalogs.vizier import vizier

NAME, TITLE = "skymapper", "SkyMapper DR4"

LAYOUT = Layout(
    ids="ObjectId",
    ra="RAICRS",
    dec="DEICRS",
    errors=("e_RAICRS", "e_DEICRS"),
    error_arcsec=0.1,
    epoch="EpMean",
    columns=(
        *(Wanted(f"{b}PSF", f"{b}_mag", "mag", f"SkyMapper {b}, PSF, AB") for b in "uvgriz"),
        *(Wanted(f"e_{b}PSF", f"{b}_mag_err", "mag", f"Error of SkyMapper {b}") for b in "uvgriz"),
        Wanted("Ngood", "n_detections", "", "Good detections in all bands"),
        Wanted("ClassStar", "star_likeness", "", "1 for a star, 0 for a galaxy"),
        Wanted("flags", "flags", "", "Bits of Source Extractor, all exposures"),
    ),
)

SERVICE = Service(
    NAME,
    TITLE,
    "Onken et al. 2024, PASA 41, e061",
    Role.STARS,
    (vizier(NAME, TITLE, "II/379/smssdr4", LAYOUT, where='"rPSF" < 20'),),
    LAYOUT.columns,
    bands={f"{b}_skymapper": f"{b}_mag" for b in "uvgriz"},
    reach_deg=(-90.0, 16.0),
    saturation_mag=9.0,
)
