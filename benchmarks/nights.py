"""Kinds of nights that a campaign takes, by either renderer: one order for both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

import renderer
from lightcurve.core.data import Site
from lightcurve.simulate.night import Truth as SimTruth
from lightcurve.simulate.night import simulate_night
from lightcurve.simulate.observatory import Night, SimCamera, airmass
from lightcurve.simulate.sky import SimTarget, StarField
from renderer import Neighbour, NightSpec, Truth, render_night

ZERO_POINT = 20.0
BETA = 3.5
Draw = Callable[[np.random.Generator], Mapping[str, object]]


def _nothing(_: np.random.Generator) -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of night: what is ordered, and what differs from one night of the kind to the next."""

    words: str
    order: Mapping[str, object] = field(default_factory=dict)
    draw: Draw = _nothing


def _companion(rng: np.random.Generator) -> Mapping[str, object]:
    return {"neighbours": (Neighbour(rng.uniform(7, 10), rng.uniform(0, 360), 0.2),)}


def _one_end(rng: np.random.Generator) -> Mapping[str, object]:
    return {"mid_at": rng.choice([rng.uniform(0.0, 0.15), rng.uniform(0.85, 1.0)])}


def _late(rng: np.random.Generator) -> Mapping[str, object]:
    return {"late_hours": rng.choice([-1, 1]) * rng.uniform(0.8, 1.5)}


def _few(rng: np.random.Generator) -> Mapping[str, object]:
    return {"n_stars": int(rng.integers(1, 5))}


BRIGHT = {"target_e_s": 30000.0}
WIDE = {"shape": (320, 360), "n_stars": 14, "spacing_px": 55.0, "margin_px": 44.0, **BRIGHT}
KINDS = {
    "clear": Kind("nothing amiss"),
    "sparse": Kind("six stars beside the target", {"n_stars": 6}),
    "warm": Kind("1 % of warm pixels, four darks", {"warm_fraction": 0.01, "n_dark": 4}),
    "warm-no-darks": Kind(
        "0.25 % of warm pixels, no darks", {"warm_fraction": 0.0025, "n_dark": 0}
    ),
    "holes": Kind(
        "1.5 % of the pixels are dead or flicker (second renderer)",
        {"telegraph_fraction": 0.01, "telegraph_e_s": 20.0, "dead_fraction": 0.005,
         "drift_px_h": (4.0, 3.0), "margin_px": 32.0},
    ),
    "companion": Kind("a neighbour of 20 % of the light, 7 to 10 px away", {}, _companion),
    "defocus": Kind(
        "rings of 10 px radius, growing by a third", {**WIDE, "ring_px": 10.0, "ring_change": 0.3}
    ),
    "trailed": Kind("trails of 7 px", {"trail_px": 7.0}),
    "window": Kind(
        "a window of 110 x 130 px with 2 to 5 stars",
        {"shape": (110, 130), "spacing_px": 24.0, "margin_px": 22.0, "drift_px_h": (1.0, -0.6)},
        _few,
    ),
    "one-comparison": Kind("one star beside the target", {"n_stars": 1}),
    "saturated": Kind(
        "bright stars clip, and no header says where",
        {"saturation_card": False, "knee_adu": 50000.0, "top_adu": 58000.0,
         "light_range": (0.2, 5.0)},
    ),
    "vignetting": Kind(
        "30 px of drift through vignetting of 35 %, flats wrong by 3 %",
        {"vignetting": 0.35, "flat_error": 0.03, "drift_px_h": (8.0, -4.5), "margin_px": 40.0,
         "n_stars": 25},
    ),
    "flip": Kind("a meridian flip, flats wrong by 2 %", {"flip_at": 0.55, "flat_error": 0.02}),
    "clouds": Kind("two clouds, of 60 and 30 %", {"clouds": ((0.6, 0.3, 0.05), (0.3, 0.75, 0.03))}),
    "colour": Kind(
        "a target redder by 0.8 mag, setting",
        {"colour_extinction": -0.03, "target_colour": 0.8, "colour_rms": 0.3,
         "hour_angle_start": 1.0},
    ),
    "partial": Kind("ingress or egress alone", {}, _one_end),
    "grazing": Kind("impact parameter 0.98", {"impact": 0.98}),
    "shallow": Kind("Rp/R* 0.05", {"rp": 0.05}),
    "deep": Kind("Rp/R* 0.35", {"rp": 0.35}),
    "none": Kind("no transit where one is predicted", {"transit": False}),
    "late": Kind("0.8 to 1.5 h early or late", {"t0_err_days": 0.03}, _late),
    "gaps": Kind("two gaps", {"gaps": ((0.2, 0.3), (0.58, 0.66))}),
    "motion": Kind("a target that moved 42 arcsec since 2000", {"pm_mas_yr": (1500.0, -900.0)}),
    "snapshots": Kind(
        "exposures of 0.5 s", {"exposure_s": 0.5, "target_e_s": 8e5, "sky_e_s": 20.0}
    ),
}  # fmt: skip


def draw_spec(kind: Kind, rng: np.random.Generator) -> NightSpec:
    """Order one night of a kind."""
    usual = {
        "start_jd_utc": 2460310.36 + int(rng.integers(-40, 40)),
        "rp": rng.uniform(0.11, 0.14),
        "impact": rng.uniform(0.0, 0.5),
        "mid_at": rng.uniform(0.44, 0.56),
        "fwhm_px": rng.uniform(2.5, 3.6),
        "drift_px_h": tuple(rng.uniform(-2.5, 2.5, 2)),
        "n_stars": int(rng.integers(22, 36)),
    }
    return NightSpec(**{**usual, **kind.order, **kind.draw(rng)})


def render(name: str, spec: NightSpec, folder: Path, rng: np.random.Generator) -> Truth:
    """Write a night's frames by the renderer of a name."""
    return (render_night if name == "second" else render_ours)(spec, folder, rng)


def render_ours(spec: NightSpec, folder: Path, rng: np.random.Generator) -> Truth:
    """Write the night by our own simulator, as far as it can be ordered there.

    It has neither scintillation, soft clipping nor colours: of these the target's own colour is
    put into its light.
    """
    site = Site(
        latitude_deg=spec.latitude_deg, longitude_deg=spec.longitude_deg, height_m=spec.height_m
    )
    sidereal = renderer.sidereal_hours(spec.start_jd_utc, spec.longitude_deg)
    ra0 = float((sidereal - spec.hour_angle_start) * 15 % 360)
    at, light, good = renderer.place_stars(spec, rng)
    plane = at * [-1, 1] * spec.scale_arcsec / 3600
    ra, dec = renderer.sky_of_plane(plane[:, 0], plane[:, 1], ra0, spec.dec_deg)
    mag = ZERO_POINT - 2.5 * np.log10(spec.target_e_s * light)
    camera = _camera(spec, int(rng.integers(1, 2**31)))
    night = _night(spec, ra0, site, int(rng.integers(1, 2**31)))
    mid_h = spec.mid_at * spec.n_frames * spec.cadence_s / 3600

    def flux(jd: np.ndarray) -> np.ndarray:
        redder = spec.colour_extinction * spec.target_colour * airmass(jd, ra0, spec.dec_deg, site)
        planet = renderer.transit(spec, (jd - spec.start_jd_utc) * 24, mid_h)
        return planet * 10 ** (-0.4 * redder)

    made = simulate_night(
        folder, night, camera, StarField(ra[1:], dec[1:], mag[1:]),
        SimTarget("Second-1", float(ra[0]), float(dec[0]), float(mag[0])), flux,
        n_bias=spec.n_bias, n_dark=spec.n_dark, n_flat=spec.n_flat, header_wcs=spec.wcs,
    )  # fmt: skip
    _spoil(spec, made)
    return _truth(spec, made, mid_h, ra, dec, good)


def _camera(spec: NightSpec, seed: int) -> SimCamera:
    return SimCamera(
        shape=spec.shape,
        scale_arcsec=spec.scale_arcsec,
        rotation_deg=spec.rotation_deg,
        zero_point=ZERO_POINT,
        gain_e_per_adu=spec.gain,
        read_noise_e=spec.read_e,
        full_scale_adu=65535 if spec.saturation_card else int(spec.top_adu),
        bias_adu=spec.bias_adu,
        dark_e_s=spec.dark_e_s,
        hot_fraction=spec.warm_fraction,
        hot_e_s=spec.warm_e_s,
        vignetting=spec.vignetting,
        seed=seed,
    )


def _night(spec: NightSpec, ra_deg: float, site: Site, seed: int) -> Night:
    depth, at, width = spec.clouds[0] if spec.clouds else (0.0, 0.5, 0.05)
    return Night(
        start_jd_utc=spec.start_jd_utc,
        n_frames=spec.n_frames,
        exposure_s=spec.exposure_s,
        cadence_s=spec.cadence_s,
        ra_deg=ra_deg,
        dec_deg=spec.dec_deg,
        site=site,
        fwhm_arcsec=spec.fwhm_px * spec.scale_arcsec,
        seeing_wander=spec.seeing_wander,
        moffat_beta=None if spec.ring_px else BETA,  # the seeing's wings are nothing beside a ring
        ring_px=spec.ring_px,
        trail_px=spec.trail_px,
        drift_px_per_hour=spec.drift_px_h,
        jitter_px=spec.jitter_px,
        flip_at=spec.flip_at,
        extinction=spec.extinction,
        cloud_depth=depth,
        cloud_at=at,
        cloud_width=width,
        sky_e_s=spec.sky_e_s,
        cosmic_rays_per_s=spec.cosmic_rays / spec.exposure_s,
        wcs_error_px=spec.wcs_error_px,
        seed=seed,
    )


def _spoil(spec: NightSpec, made: SimTruth) -> None:
    """Do to the files what cannot be ordered: flats that err, no word of saturation, gaps."""
    from astropy.io import fits

    if spec.flat_error:
        across = np.arange(spec.shape[1]) / spec.shape[1] - 0.5
        for path in made.flats:
            with fits.open(path, mode="update") as file:
                light = (file[0].data - spec.bias_adu) * (1 + spec.flat_error * across)
                file[0].data = np.rint(light + spec.bias_adu).astype(np.uint16)
    if not spec.saturation_card:
        for path in (*made.lights, *made.flats, *made.biases, *made.darks):
            with fits.open(path, mode="update") as file:
                del file[0].header["SATURATE"]
    for path, kept in zip(made.lights, _kept(spec), strict=True):
        if not kept:
            path.unlink()
    for name in ("truth.csv", "truth.json"):
        (made.lights[0].parent / name).unlink()


def _kept(spec: NightSpec) -> np.ndarray:
    share = np.arange(spec.n_frames) / max(spec.n_frames - 1, 1)
    return ~np.any([(share >= a) & (share < b) for a, b in spec.gaps or ((2, 2),)], axis=0)


def _truth(
    spec: NightSpec,
    made: SimTruth,
    mid_h: float,
    ra: np.ndarray,
    dec: np.ndarray,
    good: np.ndarray,
) -> Truth:
    kept, sky = _kept(spec), made.conditions
    electrons = made.electrons * sky.transparency[:, None]
    core = sky.fwhm_px[:, None] / (2 * np.sqrt(2 ** (1 / BETA) - 1))
    if spec.ring_px or spec.trail_px:
        profiles = [
            renderer.star_profile(replace(spec, ring_change=0.0), f, 0.5) for f in sky.fwhm_px
        ]
        share = np.array([renderer.enclosed(p, renderer.circles(spec)) for p in profiles])
    else:
        share = 1 - (1 + (renderer.circles(spec) / core) ** 2) ** (1 - BETA)
    if not spec.saturation_card:
        top = np.max(electrons * (BETA - 1) / np.pi / core**2, axis=0)
        good = good & (top / spec.gain + spec.bias_adu < spec.top_adu)
    limit = renderer.best_errors(spec, share, electrons, good, np.zeros(len(sky)))
    return Truth(
        spec=spec,
        lights=[path for path, there in zip(made.lights, kept, strict=True) if there],
        mid_jd_utc=sky.mid_jd_utc[kept],
        transit_jd_utc=spec.start_jd_utc + mid_h / 24,
        duration_days=renderer.duration_days(spec),
        flux=renderer.transit(spec, (sky.mid_jd_utc[kept] - spec.start_jd_utc) * 24, mid_h),
        ra_deg=ra,
        dec_deg=dec,
        x=made.x[kept],
        y=made.y[kept],
        electrons=electrons[kept],
        airmass=sky.airmass[kept],
        limit=limit[kept],
    )
