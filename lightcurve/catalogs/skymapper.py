"""SkyMapper DR4 photometry, uvgriz, south of declination +16."""

from __future__ import annotations

from lightcurve.catalogs.layout import Layout, Wanted
from lightcurve.catalogs.vizier import survey

SERVICE = survey(
    "skymapper",
    "SkyMapper DR4",
    "Onken et al. 2024, PASA 41, e061",
    "II/379/smssdr4",
    Layout(
        ids="ObjectId",
        ra="RAICRS",
        dec="DEICRS",
        errors=("e_RAICRS", "e_DEICRS"),
        error_arcsec=0.1,
        epoch="EpMean",
        columns=(
            *(Wanted(f"{b}PSF", f"{b}_mag", "mag", f"SkyMapper {b}, PSF, AB") for b in "uvgriz"),
            *(
                Wanted(f"e_{b}PSF", f"{b}_mag_err", "mag", f"Error of SkyMapper {b}")
                for b in "uvgriz"
            ),
            Wanted("Ngood", "n_detections", "", "Good detections in all bands"),
            Wanted("ClassStar", "star_likeness", "", "1 for a star, 0 for a galaxy"),
            Wanted("flags", "flags", "", "Bits of Source Extractor, all exposures"),
        ),
    ),
    where=(("rPSF", "<", 20),),
    bright_first="rPSF",
    bands={f"{b}_skymapper": f"{b}_mag" for b in "uvgriz"},
    reach_deg=(-90.0, 16.0),
    saturation_mag=9.0,
)
