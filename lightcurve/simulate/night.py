"""A night at the synthetic observatory: raw frames on disk, and the truth about them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import FrameKind
from lightcurve.core.errors import InputError
from lightcurve.core.processes import divide, ready_with
from lightcurve.core.progress import Progress, silent
from lightcurve.simulate.dialects import DIALECTS, Card, Shot, make_header
from lightcurve.simulate.observatory import Conditions, Night, SimCamera
from lightcurve.simulate.render import (
    Sensor,
    cosmic_rays,
    expose,
    render_stars,
    satellite_trail,
    spread_stars,
)
from lightcurve.simulate.scene import Scene, TargetFlux, make_scene
from lightcurve.simulate.sky import SimTarget, StarField, make_field, stars_with_target

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["DEMO_CALIBRATIONS", "demo_night", "simulate_night"]

FLAT_LEVEL = 0.45  # of full scale
DEMO_CALIBRATIONS = 5  # frames of each kind


@dataclass(frozen=True, slots=True)
class _Writer:
    """Where frames go and what is said of all of them."""

    folder: Path
    dialect: str
    night: Night
    camera: SimCamera
    object_name: str
    pointing: tuple[float, float]

    def __call__(
        self, kind: FrameKind, number: int, pixels: np.ndarray, start: float, exposure: float,
        airmass: float = np.nan, placed: Sequence[Card] = (),
    ) -> Path:  # fmt: skip
        """Write one frame; placed: the cards of its WCS."""
        from astropy.io import fits

        name = f"{kind}_{number + 1:04d}.fits"
        shot = Shot(
            kind, name, start, exposure, self.object_name, *self.pointing, airmass,
            self.night, self.camera,
        )  # fmt: skip
        header = make_header(shot, self.dialect)
        header.update(placed)
        # MicroObservatory writes signed numbers; the others the unsigned convention (BZERO).
        signed = self.dialect == "microobservatory" and self.camera.full_scale_adu < 2**15
        image = fits.PrimaryHDU(pixels.astype(np.int16) if signed else pixels, header)
        image.writeto(self.folder / name, overwrite=True, output_verify="exception")
        return self.folder / name


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Everything a reduction of the night should find.

    lights, biases, darks, flats : files written, in order of time.
    electrons : (m,) float array, of each star in one exposure above the atmosphere, target flux
        1, response 1.
    x, y : (n, m) float arrays, pixels, 0-based.
    """

    lights: tuple[Path, ...]
    biases: tuple[Path, ...]
    darks: tuple[Path, ...]
    flats: tuple[Path, ...]
    night: Night
    camera: SimCamera
    target: SimTarget
    sensor: Sensor
    conditions: Conditions  # of the n light frames
    target_flux: np.ndarray  # (n,) float array, relative flux of the target, extinction apart
    stars: StarField  # m stars; row 0 is the target
    electrons: np.ndarray
    x: np.ndarray
    y: np.ndarray


def demo_night(seed: int) -> tuple[Night, SimCamera, StarField, SimTarget]:
    """Set up a small night with some of everything that goes wrong.

    Returns
    -------
    night : Night
        72 frames in 3 hours: drift, changing seeing, a thin cloud, a meridian flip, one trail.
    camera : SimCamera
        500 x 400 pixels with hot pixels, a dead column, dust and vignetting.
    field : StarField
        About 110 made-up stars in 10' x 8', the brightest too bright for the camera.
    target : SimTarget
        V 11.2, about 200 000 electrons a frame (signal to noise about 400).
    """
    rng = np.random.default_rng([seed, 0xDE])
    camera = SimCamera(n_dead_columns=1, seed=seed)
    night = Night(
        start_jd_utc=2460586.765,  # the field crosses the meridian just before the flip
        n_frames=72,
        flip_at=0.55,
        cloud_depth=0.35,
        trail_frames=(20,),
        seed=seed,
    )
    ny, nx = camera.shape
    fov = (nx * camera.scale_arcsec / 3600, ny * camera.scale_arcsec / 3600)
    center = (night.ra_deg, night.dec_deg)
    target = SimTarget("Demo-1", night.ra_deg + 0.012, night.dec_deg - 0.008, 11.2)
    made = make_field(rng, center, fov, 115, mag_range=(9.6, 14.2))
    # No neighbour in the target's aperture or sky, whatever the seed; and one star saturates.
    stars = stars_with_target(target, made, same_arcsec=30.0)
    field = StarField(stars.ra_deg[1:], stars.dec_deg[1:], np.append(8.8, stars.mag[2:]))
    return night, camera, field, target


def simulate_night(
    folder: str | Path,
    night: Night,
    camera: SimCamera,
    field: StarField,
    target: SimTarget,
    target_flux: TargetFlux,
    *,
    dialect: str = "standard",
    n_bias: int = 0,
    n_dark: int = 0,
    n_flat: int = 0,
    flat_exposure: float = 2.0,
    header_wcs: bool = False,
    rng: np.random.Generator | None = None,
    progress: Progress | None = None,
) -> Truth:
    """Simulate a night and write its frames, ``truth.csv`` and ``truth.json``.

    Parameters
    ----------
    folder : path-like
        Made where it is not there; gets ``light_0001.fits``, ``bias_0001.fits`` ...
    field : StarField
        A star within 2 arcsec of the target is taken to be the target.
    target_flux : (n_frames,) float array, or a function of the mid-times (JD UTC) giving one
        Relative flux of the target.
    dialect : str
        Manner of the headers, one of `lightcurve.simulate.dialects.DIALECTS`.
    n_bias, n_dark, n_flat : int
        Calibration frames; darks last as long as the lights.
    flat_exposure : float
        Seconds.
    header_wcs : bool
        Write a WCS into the lights, wrong by `Night.wcs_error_px`.
    rng : numpy.random.Generator or None
        From `Night.seed` when None. The same seed writes the same bytes.

    Raises
    ------
    InputError
        When the dialect is not known, the flux has the wrong length, the field sets during the
        night, or the target is in no frame.
    """
    if dialect not in DIALECTS:
        msg = f"no header dialect {dialect!r}; there are {', '.join(DIALECTS)}"
        raise InputError(msg)
    rng = np.random.default_rng(night.seed) if rng is None else rng
    # Each part draws on its own: more biases, or a WCS in the headers, change no light frame.
    for_sky, for_headers, *for_kinds, for_lights = rng.spawn(6)
    scene = make_scene(night, camera, stars_with_target(target, field), target_flux, for_sky)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    error = _off(night.pointing_error_arcmin / 60, for_headers)
    turn = error[0] / np.cos(np.radians(night.dec_deg))
    pointing = ((night.ra_deg + turn) % 360, night.dec_deg + error[1])
    write = _Writer(folder, dialect, night, camera, target.name, pointing)
    jobs = (
        (FrameKind.BIAS, n_bias, 0.0),
        (FrameKind.DARK, n_dark, night.exposure_s),
        (FrameKind.FLAT, n_flat, flat_exposure),
    )
    calibrations = [
        tuple(_calibration_frames(write, scene, *job, each))
        for job, each in zip(jobs, for_kinds, strict=True)
    ]
    placed = [
        _cards(_moved(w, _off(night.wcs_error_px, for_headers))) if header_wcs else ()
        for w in scene.wcs
    ]
    frames = list(enumerate(for_lights.spawn(night.n_frames)))
    # A WCS is slow to send to another process: each takes milliseconds to write down and to read.
    sent = replace(scene, wcs=[])
    made = divide(frames, _Lights(write, sent, placed), ready_with(__name__))
    shown = (progress or silent)(made, "simulating the night", night.n_frames)
    lights = tuple(path for _, path in sorted((k, path) for (k, _), path in shown))
    truth = _truth(target, scene, lights, calibrations)
    write_truth(folder, truth)
    return truth


def _truth(
    target: SimTarget, scene: Scene, lights: tuple[Path, ...], rest: list[tuple[Path, ...]]
) -> Truth:
    biases, darks, flats = rest
    return Truth(
        lights=lights,
        biases=biases,
        darks=darks,
        flats=flats,
        night=scene.night,
        camera=scene.camera,
        target=target,
        sensor=scene.sensor,
        conditions=scene.sky,
        target_flux=scene.flux,
        stars=scene.stars,
        electrons=scene.electrons,
        x=scene.x,
        y=scene.y,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Lights:
    """What a process does with the number of a light frame and its generator."""

    write: _Writer
    scene: Scene
    placed: Sequence[Sequence[Card]]  # for each frame the cards of its WCS

    def __call__(self, frame: tuple[int, np.random.Generator]) -> Path:
        k, rng = frame
        return _light(self.write, self.scene, k, self.placed[k], rng)


def _light(
    write: _Writer, scene: Scene, k: int, placed: Sequence[Card], rng: np.random.Generator
) -> Path:
    night, camera, sky = scene.night, scene.camera, scene.sky
    brightness = scene.electrons * sky.transparency[k]
    brightness[0] *= scene.flux[k]
    points = spread_stars(
        scene.x[k], scene.y[k], brightness, ring_px=night.ring_px, trail_px=night.trail_px
    )
    light = render_stars(camera.shape, *points, sky.fwhm_px[k], beta=night.moffat_beta)
    light += night.sky_e_s * night.exposure_s * sky.airmass[k]
    if k in night.trail_frames:
        light += satellite_trail(camera.shape, sky.fwhm_px[k], rng)
    pixels = _read_out(scene, light, night.exposure_s, rng)
    return write(
        FrameKind.LIGHT, k, pixels, sky.start_jd_utc[k], night.exposure_s, sky.airmass[k], placed
    )


def _calibration_frames(
    write: _Writer,
    scene: Scene,
    kind: FrameKind,
    count: int,
    seconds: float,
    rng: np.random.Generator,
) -> list[Path]:
    """Take them before the night: biases, then darks, then flats."""
    camera = scene.camera
    flat = FLAT_LEVEL * camera.full_scale_adu * camera.gain_e_per_adu
    level = flat if kind == FrameKind.FLAT else 0.0
    hours = {FrameKind.BIAS: 4, FrameKind.DARK: 3, FrameKind.FLAT: 1}[kind]
    first = scene.night.start_jd_utc - hours / 24
    paths = []
    for k in range(count):
        # The lamp, or the twilight, does not burn evenly from one flat to the next.
        light = level * rng.uniform(0.9, 1.1) * np.ones(camera.shape)
        pixels = _read_out(scene, light, seconds, rng)
        paths.append(write(kind, k, pixels, first + k * (seconds + 5) / DAY_S, seconds))
    return paths


def _read_out(
    scene: Scene, light: np.ndarray, seconds: float, rng: np.random.Generator
) -> np.ndarray:
    """Turn light into numbers: response, dark current, cosmic rays, noise, converter."""
    camera, sensor = scene.camera, scene.sensor
    n_rays = rng.poisson(scene.night.cosmic_rays_per_s * seconds)
    charge = light * sensor.flat + sensor.dark * seconds + cosmic_rays(camera.shape, n_rays, rng)
    return expose(
        charge, sensor.bias, rng, gain=camera.gain_e_per_adu, read_noise=camera.read_noise_e,
        full_scale=camera.full_scale_adu,
    )  # fmt: skip


def _off(size: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a step of given length in any direction."""
    angle = rng.uniform(0, 2 * np.pi)
    return size * np.array([np.cos(angle), np.sin(angle)])


def _moved(wcs: WCS, step: np.ndarray) -> WCS:
    moved = wcs.deepcopy()
    moved.wcs.crpix = wcs.wcs.crpix + step
    moved.wcs.set()
    return moved


def _cards(wcs: WCS) -> list[Card]:
    """Write a WCS down as cards."""
    return [(card.keyword, card.value, card.comment) for card in wcs.to_header().cards]


def write_truth(folder: str | Path, truth: Truth) -> tuple[Path, Path]:
    """Write ``truth.csv``, a row for each frame, and ``truth.json`` with settings and stars."""
    folder = Path(folder)
    table, document = folder / "truth.csv", folder / "truth.json"
    columns = _truth_columns(truth)
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    document.write_text(json.dumps(_document(truth), indent=1) + "\n", encoding="utf-8")
    return table, document


def _truth_columns(truth: Truth) -> dict[str, list]:
    """Lay the night out with a value for each frame.

    Shifts are those of the pointing's centre from the middle of the frame, pixels; `target_x` and
    `target_y` are 0-based.
    """
    sky = truth.conditions
    return {
        "file": [path.name for path in truth.lights],
        "jd_utc": sky.mid_jd_utc.tolist(),
        "airmass": sky.airmass.round(5).tolist(),
        "shift_x": sky.shift_x.round(4).tolist(),
        "shift_y": sky.shift_y.round(4).tolist(),
        "rotation_deg": sky.rotation_deg.round(5).tolist(),
        "fwhm_px": sky.fwhm_px.round(4).tolist(),
        "transparency": sky.transparency.round(6).tolist(),
        "target_flux": truth.target_flux.round(8).tolist(),
        "target_x": truth.x[:, 0].round(4).tolist(),
        "target_y": truth.y[:, 0].round(4).tolist(),
    }


def _document(truth: Truth) -> dict[str, object]:
    stars = {
        "ra_deg": truth.stars.ra_deg.round(7).tolist(),
        "dec_deg": truth.stars.dec_deg.round(7).tolist(),
        "mag": truth.stars.mag.round(4).tolist(),
        "electrons": truth.electrons.round(2).tolist(),
        "x_first": truth.x[0].round(4).tolist(),
        "y_first": truth.y[0].round(4).tolist(),
    }
    return {
        "target": asdict(truth.target),
        "night": asdict(truth.night),
        "camera": asdict(truth.camera),
        "stars": stars,
        "frames": _truth_columns(truth),
    }
