"""Everything that is settled once, before the first frame is measured."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightcurve.astrometry.few import faintest
from lightcurve.astrometry.register import make_reference
from lightcurve.core.data import (
    Assumed,
    Exposure,
    FrameKind,
    Solution,
    StarPlan,
    Style,
)
from lightcurve.core.errors import InputError, LightcurveError, SolveError
from lightcurve.core.progress import Progress, each_once, silent
from lightcurve.core.settings import Settings
from lightcurve.curve.plan import plan_stars
from lightcurve.frames.entries import Entry
from lightcurve.frames.inventory import Inventory
from lightcurve.night.binned import choose_shrink
from lightcurve.night.lights import choose_lights
from lightcurve.night.masters import make_masters
from lightcurve.night.opening import opening_of, why_unlike
from lightcurve.night.pictures import reference_picture
from lightcurve.night.recipe import Recipe
from lightcurve.night.scene import Scene, describe_blank
from lightcurve.phot.grains import StarSize, measure_size
from lightcurve.phot.methods import centroid_of
from lightcurve.phot.seeing import choose_radii, refuse_large_radii
from lightcurve.setup.borrowed import borrow_place
from lightcurve.setup.camera import CameraValues, settle_camera
from lightcurve.setup.colour import describe_colour, settle_mosaic
from lightcurve.setup.reference import rank_samples, why_poor
from lightcurve.setup.solving import Sample, find_stars, read_samples, solve_one, taken_out
from lightcurve.setup.target import (
    Target,
    far_from_headers,
    refuse_another_field,
    warn_of_fields,
)
from lightcurve.setup.times import leave_out_impossible

log = logging.getLogger(__name__)
UNSURE_ARCSEC = 10.0  # by so much a WCS that is not checked, and rounded coordinates, may be off
MUCH_BRIGHTER = 10.0


def prepare_night(
    inventory: Inventory,
    target: Target,
    settings: Settings,
    masters_folder: Path,
    *,
    progress: Progress = silent,
) -> Scene:
    """Choose the lights, make the masters, solve one frame, choose the stars.

    By the first frames of the night; by all where these show the first to be poor.
    masters_folder: where master frames are written, when there are calibration frames. Raises
    LightcurveError: whatever stands in the way, in one line.
    """
    with each_once():
        return _settle(inventory, target, settings, masters_folder, progress)


def _settle(
    inventory: Inventory,
    target: Target,
    settings: Settings,
    masters_folder: Path,
    progress: Progress,
) -> Scene:
    given = find_lights(inventory, target, settings)
    rest = (inventory, target, settings, masters_folder)
    opening = opening_of(given.lights)
    if len(opening) < len(given.lights):
        why = why_unlike(opening, given.lights)
        try:
            if not why:
                scene, reference = settle_by(opening, given, *rest, progress=progress)
                why = why_not(scene, reference, given.lights)
            if not why:
                return scene
        except LightcurveError as error:
            if error.of_any_frame:
                raise
            why = str(error)
        log.info("not settled by the first %d frames but by the whole night: %s", len(opening), why)
    return settle_by(given.lights, given, *rest, progress=progress)[0]


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """The light frames of a night that are to be measured."""

    lights: tuple[Entry, ...]  # in order of time
    unused: dict[Path, str]  # those left out, and why
    elsewhere: str  # what the headers have against the target's place


def find_lights(inventory: Inventory, target: Target, settings: Settings) -> Given:
    """Choose the light frames whose times can be true; raises LightcurveError as they do."""
    lights = choose_lights(inventory)
    exposures = [entry.exposure for entry in lights]
    warn_of_fields(exposures)
    elsewhere = far_from_headers(exposures, target, settings.solve.radius_deg)
    if not settings.solve.blind:
        n_wcs = sum(entry.has_wcs for entry in lights)
        refuse_another_field(exposures, target, elsewhere, n_wcs=n_wcs)
    if elsewhere:
        log.warning("%s", elsewhere)
    lights, unused = leave_out_impossible(
        lights, None if elsewhere else target, settings.time.utc_offset_hours
    )
    return Given(tuple(lights), unused, elsewhere)


def settle_by(
    some: Sequence[Entry],
    given: Given,
    inventory: Inventory,
    target: Target,
    settings: Settings,
    masters_folder: Path,
    *,
    progress: Progress = silent,
) -> tuple[Scene, Sample]:
    """Settle a night by some of its frames; gives the reference with its stars too."""
    lights = given.lights
    masters, made_of = make_masters(
        inventory, lights, settings, masters_folder, opening=some, progress=progress
    )
    frames, settings = settle_mosaic(read_samples(some, settings), settings)
    camera = settle_camera(frames, masters, settings)
    first = frames[0].exposure
    samples = rank_samples(find_stars(taken_out(frames), masters, camera, settings))
    try:
        reference, solution = solve_one(samples, target, settings, elsewhere=given.elsewhere)
    except SolveError as error:
        of_others = [e for e in inventory.entries if e.has_wcs and e not in lights]
        others = [e for e in of_others if e.kind == FrameKind.LIGHT and not e.lost]
        reference, solution = borrow_place(error, samples, others, target, settings)
    recipe = _write_recipe(
        reference,
        samples,
        solution,
        target,
        settings,
        camera,
        masters_folder if masters else None,
        made_of,
    )
    if not recipe.plan.target_detected:
        log.warning("%s", describe_blank(recipe, reference.frame.path, target))
    elif not solution.n_matched and (doubt := describe_doubt(recipe.plan, solution)):
        log.warning("%s", doubt)
    scene = Scene(
        lights=tuple(entry.path for entry in lights),
        unused=given.unused,
        masters=masters,
        reference=reference.frame,
        solution=solution,
        recipe=recipe,
        camera=camera,
        values=(
            *list_values(target, reference.frame.exposure, camera, solution, recipe),
            *describe_colour(first, settings),
        ),
        picture=reference_picture(reference.frame.pixels),
    )
    return scene, reference


def why_not(scene: Scene, reference: Sample, lights: Sequence[Entry]) -> str:
    """Say why frames along the night show that its first ones should not settle it; else empty.

    lights: of the night, in order of time.
    """
    recipe = scene.recipe
    try:
        frames, _ = settle_mosaic(read_samples(lights, recipe.settings), recipe.settings)
    except InputError:  # none can be read: they have no say
        return ""
    others = find_stars(taken_out(frames), scene.masters, scene.camera, recipe.settings)
    if why := why_poor(reference, others):
        return why
    mine = star_size(reference)
    sizes = [size for other in others if (size := star_size(other)) is not None]
    if mine is None or not sizes or recipe.settings.apertures.radii:
        return ""
    widest = max(sizes, key=lambda size: size.r90)
    wider = choose_radii(mine, widest)[1][0] > recipe.annulus[0]
    return "later stars are far wider than its apertures are for" if wider else ""


def describe_doubt(plan: StarPlan, solution: Solution) -> str | None:
    """Say that a much brighter star may be the target, where nothing holds the WCS to the sky.

    None where there is none so near.
    """
    apart = np.hypot(plan.x_ref - plan.x_ref[0], plan.y_ref - plan.y_ref[0]) * solution.scale_arcsec
    near = (apart <= UNSURE_ARCSEC) & (plan.flux_ref > MUCH_BRIGHTER * plan.flux_ref[0])
    if not near.any():
        return None
    k = int(np.argmax(np.where(near, plan.flux_ref, 0.0)))
    return (
        f"the WCS was not checked against stars, and {plan.star_id[k]}, "
        f"{plan.flux_ref[k] / plan.flux_ref[0]:.0f} times as bright as the star measured, is "
        f"{apart[k]:.1f} arcsec from it: if that is the target, --ra {plan.ra_deg[k]:.5f} "
        f"--dec {plan.dec_deg[k]:+.5f} takes it; an index file (--index) checks the WCS"
    )


def _write_recipe(
    sample: Sample,
    samples: Sequence[Sample],
    solution: Solution,
    target: Target,
    settings: Settings,
    camera: CameraValues,
    masters_folder: Path | None,
    masters_digest: str,
) -> Recipe:
    """Choose the stars and the apertures, and put all that measuring needs together.

    Raises InputError when the apertures do not suit the frame.
    """
    stars, shape = sample.stars, sample.frame.pixels.shape
    # Refused now what every frame would refuse.
    centroid_of(settings.apertures.centroid, settings.apertures.style)
    sizes = [size for other in samples if (size := star_size(other)) is not None]
    if not sizes:
        msg = f"{sample.frame.path.name}: no star is whole enough to tell how wide stars are"
        raise InputError(msg)
    widest = max(sizes, key=lambda size: size.r90)
    radii, annulus = choose_radii(star_size(sample) or widest, widest)
    if settings.apertures.radii:
        radii = np.array(sorted(settings.apertures.radii))
    if settings.apertures.fwhm_factor is not None:
        radii = radii[[len(radii) // 2]]  # the base radius, where the widths are measured
    annulus = settings.apertures.annulus or annulus
    if not settings.apertures.radii and radii[0] <= annulus[0]:
        radii = radii[radii <= annulus[0]]  # of the seeing's, those that leave the sky alone
    given = settings.apertures
    refuse_large_radii(max(given.radii, default=0.0), given.annulus, shape)
    refuse_overlap(radii, annulus, settings)
    plan = plan_stars(
        stars, solution.wcs, target.ra_deg, target.dec_deg, shape, settings.stars,
        aperture_px=float(np.median(radii)), annulus_px=annulus,
        size_px=(widest.r50, widest.r90) if stars.grain > 1 else None,
        saturation_adu=camera.saturation_adu, linearity_adu=camera.linearity_adu,
        scale_arcsec=solution.scale_arcsec,
    )  # fmt: skip
    return Recipe(
        settings=settings,
        shape=shape,
        masters_folder=masters_folder,
        masters_digest=masters_digest,
        reference=make_reference(stars.x, stars.y, stars.flux, shape, faintest(stars)),
        scale_arcsec=solution.scale_arcsec,
        plan=plan,
        radii=radii,
        annulus=annulus,
        noise=camera.noise,
        saturation_adu=camera.saturation_adu,
        shrink=_shrink(shape, float(np.nanmedian(stars.fwhm)), settings),
    )


def star_size(sample: Sample) -> StarSize | None:
    """Measure how wide the stars of a frame are; None where it has none."""
    stars = sample.stars
    if stars.grain > 1:
        place = stars.x, stars.y, stars.sky, stars.grain
        return measure_size(np.where(sample.frame.bad, np.nan, sample.frame.pixels), *place)
    known = stars.fwhm[np.isfinite(stars.fwhm)]
    return StarSize.gaussian(float(np.median(known))) if known.size else None


def refuse_overlap(radii: np.ndarray, annulus: tuple[float, float], settings: Settings) -> None:
    """Refuse an aperture that reaches into its own sky, where one of both follows the seeing.

    radii: (n,) float array, of the apertures, pixels; annulus: (float, float), of the sky, pixels.
    Raises InputError naming the option that would settle it.
    """
    largest = float(np.max(radii))
    if largest <= annulus[0]:
        return
    given = settings.apertures
    whose = "--annulus" if given.annulus else "chosen from the seeing"
    missing = "--radius" if given.annulus else "--annulus"
    msg = (
        f"an aperture of {largest:g} px reaches into the sky annulus ({whose}), which begins at "
        f"{annulus[0]:g} px: give {missing} too"
    )
    raise InputError(msg)


def _shrink(shape: tuple[int, int], fwhm: float, settings: Settings) -> int:
    """Calibrate frames whole where AstroImageJ's rules or cosmic rays want all pixels."""
    whole = settings.apertures.style == Style.AIJ or settings.calibration.cosmic_rays
    return 1 if whole else choose_shrink(shape, fwhm)


def list_values(
    target: Target,
    exposure: Exposure,
    camera: CameraValues,
    solution: Solution,
    recipe: Recipe,
) -> tuple[Assumed, ...]:
    """Collect every value the measuring rests on, with its source.

    exposure: of the reference frame.
    """
    checked = "solved by" if solution.n_matched else "not checked against stars:"
    return (
        Assumed(
            "target", (target.ra_deg, target.dec_deg), "deg", target.source,
            f"{target.ra_deg:.6f} {target.dec_deg:+.6f} deg",
        ),
        *_exposure_values(exposure),
        _site(exposure),
        _telescope(exposure, recipe.settings),
        *camera.values,
        Assumed(
            "scale", solution.scale_arcsec, "arcsec/px", f"{checked} {solution.solver}",
            f"{solution.scale_arcsec:.4f} arcsec/px",
        ),
        *_aperture_values(recipe),
    )  # fmt: skip


def _exposure_values(exposure: Exposure) -> tuple[Assumed, ...]:
    """When, how long and through what the frame was exposed."""
    source, seconds, open_s = exposure.sources, exposure.exposure_s, exposure.time_uncertainty_s
    length = "not known"
    where = "no keyword: a transit is fitted without averaging over the exposure"
    if seconds is not None:
        length, where = f"{seconds:g} s", source["exposure_s"]
    band = exposure.filter
    return (
        Assumed("time", open_s, "s", source["mid_jd_utc"], f"mid-exposure to {open_s:.3g} s"),
        Assumed("exposure", seconds, "s", where, length),
        Assumed("filter", band, "", source.get("filter", "no keyword"), band or "not known"),
    )


def _site(exposure: Exposure) -> Assumed:
    site = exposure.site
    source = exposure.sources.get("site", "no keyword: --latitude, --longitude, --height")
    if site is None:
        return Assumed("site", None, "deg, deg, m", source, "not known")
    place = (site.latitude_deg, site.longitude_deg, site.height_m)
    text = "{:+.4f} {:+.4f} deg (east +), {:.0f} m".format(*place)
    return Assumed(
        "site", place, "deg, deg, m", source, f"{site.name}, {text}" if site.name else text
    )


def _telescope(exposure: Exposure, settings: Settings) -> Assumed:
    """Diameter, and what becomes of it."""
    diameter = exposure.telescope_diameter_m
    if diameter is None:
        told = "no keyword: errors carry no scintillation; --telescope-diameter"
        return Assumed("telescope", None, "m", told, "diameter not known")
    use = "for scintillation"
    if settings.apertures.style == Style.AIJ:
        use = "not used: AstroImageJ's errors have no scintillation"
    elif exposure.exposure_s is None:
        use = "not used: no scintillation without an exposure"
    source = exposure.sources["telescope_diameter_m"]
    return Assumed("telescope", diameter, "m", source, f"{diameter:.4g} m across, {use}")


def _aperture_values(recipe: Recipe) -> tuple[Assumed, ...]:
    """Radii of the apertures and of the ring of sky."""
    given, seeing = recipe.settings.apertures, "seeing of the reference"
    base = ", its middle radius alone" if given.fwhm_factor is not None and not given.radii else ""
    radii = ", ".join(f"{radius:.1f}" for radius in recipe.radii)
    inner, outer = recipe.annulus
    return (
        Assumed(
            "radii", tuple(recipe.radii.tolist()), "px",
            "setting apertures.radii" if given.radii else seeing + base, f"{radii} px",
        ),
        Assumed(
            "sky annulus",
            (inner, outer),
            "px",
            "setting apertures.annulus" if given.annulus else seeing,
            f"{inner:.1f} to {outer:.1f} px",
        ),
    )  # fmt: skip
