"""Nights of targets that share their aperture with another star."""

from __future__ import annotations

import numpy as np
import pytest

from lightcurve.catalogs.services import query
from lightcurve.core.data import Site
from lightcurve.core.settings import make_settings
from lightcurve.core.times import bjd_tdb
from lightcurve.night import companions
from lightcurve.night.companions import find_blend
from lightcurve.night.fit_table import fit_table
from renderer import Neighbour, NightSpec, disc_flux, draw_stars, render_night, star_profile
from undrawn import reduce_night


def reduced(tmp_path, neighbour: Neighbour, *, catalog=False, seed=5, **settings):
    spec = NightSpec(
        n_frames=80, cadence_s=155, shape=(200, 230), n_stars=16, spacing_px=40, target_e_s=19000,
        fwhm_px=4.2, light_range=(0.6, 1.2), scintillation=0.0, cosmic_rays=0.0,
        neighbours=(neighbour,), n_bias=3, n_dark=3, n_flat=6,
    )  # fmt: skip
    truth = render_night(spec, tmp_path / "night", np.random.default_rng(seed))
    site = Site(spec.latitude_deg, spec.longitude_deg, spec.height_m)
    place = float(truth.ra_deg[0]), float(truth.dec_deg[0])
    mid = float(bjd_tdb(np.array([truth.transit_jd_utc]), *place, site)[0])
    (tmp_path / "planet.toml").write_text(truth.planet_toml(mid))
    given = {
        "target": {"planet_file": tmp_path / "planet.toml"},
        "solve": {"solvers": ["header"]},
        "fit": {"sample": False},
    }
    if catalog:
        light = np.median(truth.electrons, axis=0)
        rows = [f"{r:.7f},{d:.7f},{12 - 2.5 * np.log10(q):.4f}" for r, d, q in
                zip(truth.ra_deg, truth.dec_deg, light / light[0], strict=True)]  # fmt: skip
        (tmp_path / "stars.csv").write_text("\n".join(["ra_deg,dec_deg,Gmag", *rows]) + "\n")
        given["catalogs"] = {"files": [tmp_path / "stars.csv"]}
    return spec, reduce_night(tmp_path / "night", make_settings(given | settings), tmp_path / "out")


@pytest.mark.parametrize(
    ("neighbour", "catalog", "radii", "least"),
    [
        (Neighbour(12.6, 40.0, 0.2), False, (), 0.98),
        (Neighbour(12.6, 40.0, 0.2), False, (9.0, 10.5, 12.0, 13.5), 0.8),
        (Neighbour(4.2, 40.0, 1.0), True, (), 0.49),
        (Neighbour(4.2, 40.0, 1.0), False, (), 0.49),
    ],
    ids=["20 % at 3 FWHM", "20 % in wide apertures", "equal at 1 FWHM", "equal, in no catalogue"],
)
def test_depth_and_radius_are_those_of_the_star_alone(
    neighbour, catalog, radii, least, tmp_path, monkeypatch
):
    """Apertures are chosen that keep a neighbour out; a service is asked of a wide target alone."""
    asked = []

    def query_by_hand(names, *rest):
        asked.extend(names)
        return query((), *rest)

    monkeypatch.setattr(companions, "query", query_by_hand)
    spec, night = reduced(tmp_path, neighbour, catalog=catalog, apertures={"radii": radii})
    assert asked == (["gaia"] if least == 0.49 and not catalog else [])
    fit, share = night.fit, night.curve.dilution
    for name, true in (("rp_over_rs", spec.rp), ("depth_percent", 100 * transit_loss(spec))):
        found = fit.parameters[name]
        err = (found.upper - found.lower) / 2
        assert found.value == pytest.approx(true, abs=3 * err)
        limit = (0.03 if name == "rp_over_rs" else 0.06) * true
        assert found.value == pytest.approx(true, abs=limit + err)
    assert share.value == pytest.approx(true_share(spec, night, night.recipe.radius_px), abs=0.012)
    wide = night.measurements.radii[-1]
    told = find_blend(night.measurements, night.scene, night.target, night.settings).share(
        np.full(len(night.curve.file), wide)
    )
    assert told.value == pytest.approx(true_share(spec, night, wide), abs=max(0.012, 3 * told.err))
    record = (night.products.folder / "run.toml").read_text()
    assert f"{share.value}" in record
    assert least <= share.value < 1
    if not radii and not catalog:
        return
    again = fit_table(night.products.folder / "lightcurve.csv", night.settings, tmp_path / "again")
    for name in ("dilution", "rp_over_rs", "rp_over_rs_uncorrected"):
        assert again.fit.parameters[name].value == pytest.approx(fit.parameters[name].value)
    seen, alone = (fit.parameters[n].value for n in ("rp_over_rs_uncorrected", "rp_over_rs"))
    assert seen == pytest.approx(alone * np.sqrt(share.value), rel=0.01)


def transit_loss(spec: NightSpec) -> float:
    return 1 - float(disc_flux(np.array([spec.impact]), spec.rp, spec.limb)[0])


def true_share(spec: NightSpec, night, radius: float) -> float:
    """Part of the target in the light of a circle about where the centroid is, as rendered."""
    side, middle, fine = 61, 30.0, 3.0
    width = float(np.median(night.measurements.fwhm_px))
    profile = star_profile(spec, width, 0.5) * [fine, fine, fine, fine, 1]
    beside, one = spec.neighbours[0], np.ones(1)
    size, centre = int(side * fine), np.array([middle * fine])
    angle = np.radians(beside.angle_deg)
    off = fine * beside.distance_px * np.array([np.cos(angle), np.sin(angle)])
    own = draw_stars((size, size), centre, centre, one, profile)
    other = draw_stars((size, size), centre + off[0], centre + off[1], one * beside.light, profile)
    at = off * (0.5 if beside.distance_px < 1.3 * spec.fwhm_px else 0.0)
    y, x = np.indices(own.shape) - middle * fine
    inside = np.hypot(x - at[0], y - at[1]) <= radius * fine
    return float(own[inside].sum() / (own + other)[inside].sum())
