"""Nothing is done twice: frames, darks and flats that were calibrated before they came here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.calib.masters import build_masters
from lightcurve.calib.one_by_one import make_badpix, make_master
from lightcurve.calib.reduce import reduce_frame, write_frame
from lightcurve.core.data import FrameKind, Step
from lightcurve.core.errors import CalibrationError, InputError
from lightcurve.core.settings import CalibrationSettings
from lightcurve.frames.cards import parse_cards
from lightcurve.frames.inventory import take_inventory
from lightcurve.frames.read import read_frame
from lightcurve.frames.state import read_pedestal, read_state
from tests.calib.test_masters import SHAPE, Camera, frame_of, light_exposure

SETTINGS = CalibrationSettings()
ALL = tuple(Step)


@pytest.mark.parametrize(
    ("cards", "done"),
    [
        ({"CALSTAT": "BDF"}, ALL),
        ({"CALSTAT": "D"}, (Step.BIAS, Step.DARK)),
        ({"CALSTAT": "B"}, (Step.BIAS,)),
        ({"CALSTAT": "raw"}, ()),
        ({"FLATCOR": "Mar 05 12:01 Flat field image is flatV"}, (Step.FLAT,)),
        ({"FLATCOR": "F"}, ()),
        ({"BIASCORR": "PERFORM", "DARKCORR": "OMIT"}, ()),
        ({"BIASCORR": "COMPLETE", "DARKCORR": "SKIPPED"}, (Step.BIAS,)),
        ({"L1STATBI": 1, "L1STATDA": 1, "L1STATFL": 0}, (Step.BIAS, Step.DARK)),
        ({"HISTORY": "Dark Subtraction (Dark 10, 4864 x 3232, Bin1 x 1)"}, (Step.BIAS, Step.DARK)),
        ({"HISTORY": "ImageCalibration.masterFlatEnabled: true"}, (Step.FLAT,)),
        ({"HISTORY": "ImageCalibration.masterFlatEnabled: false"}, ()),
        ({"HISTORY": "flat field taken at dusk"}, ()),
        ({"HISTORY": "no dark subtraction done"}, ()),
        ({}, ()),
    ],
)
def test_what_a_header_says_was_done(cards, done):
    assert read_state(parse_cards(fits.Header(list(cards.items())).tostring()))[0] == done


def test_a_line_that_denies_one_step_denies_no_other():
    header = fits.Header()
    header.add_history("no dark subtraction done")
    header.add_history("Bias Subtraction (Bias 1, 4864 x 3232)")
    assert read_state(parse_cards(header.tostring()))[0] == (Step.BIAS,)


@pytest.mark.parametrize(("card", "level"), [(-100, 100), (100, 100), (0, 0)])
def test_a_pedestal_is_what_was_added(card, level):
    assert read_pedestal(parse_cards(fits.Header([("PEDESTAL", card)]).tostring())) == level


def masters_of(camera, light, *, darks=None, flats=None, bias=True, lights=()):
    return build_masters(
        light,
        camera.take("bias", 8, 0, 0.0) if bias else [],
        camera.take("dark", 8, 0, 60.0) if darks is None else darks,
        camera.take("flat", 8, 20000, 5.0, filter="V") if flats is None else flats,
        [],
        settings=SETTINGS,
        light_frames=lights,
    )


@pytest.mark.parametrize("done", [(), (Step.BIAS,), (Step.BIAS, Step.DARK), ALL])
def test_what_was_done_is_not_done_again(done, tmp_path):
    camera = Camera(tmp_path)
    light = light_exposure()
    masters = masters_of(camera, light)
    pixels = camera.expose(300.0, 60.0).astype(float)
    if Step.BIAS in done:
        pixels -= camera.bias
    if Step.DARK in done:
        pixels -= camera.rate * 60
    if Step.FLAT in done:
        pixels /= camera.response
    frame = reduce_frame(frame_of(pixels, replace(light, done=done)), masters)
    level = np.nanmedian(frame.pixels[camera.good])
    assert level == pytest.approx(300.0, abs=1.0)
    # Flat from middle to corner: 30 % of vignetting would show if it were taken off twice or never.
    corner = np.nanmedian(frame.pixels[:40, :40])
    assert corner == pytest.approx(300.0, abs=3.0)


def test_a_pedestal_goes_before_the_flat(tmp_path):
    camera = Camera(tmp_path)
    light = light_exposure(done=(Step.BIAS, Step.DARK), pedestal_adu=100.0)
    masters = masters_of(camera, light)
    pixels = camera.expose(300.0, 60.0) - camera.bias - camera.rate * 60 + 100
    frame = reduce_frame(frame_of(pixels, light), masters)
    assert np.nanmedian(frame.pixels[:40, :40]) == pytest.approx(300.0, abs=3.0)


@pytest.mark.parametrize("bias", [True, False])
def test_a_frame_that_was_written_calibrated_is_known_as_such(bias, tmp_path):
    camera = Camera(tmp_path)
    light = light_exposure()
    masters = masters_of(camera, light, bias=bias, flats=None if bias else [])
    frame = reduce_frame(frame_of(camera.expose(300.0, 60.0), light), masters)
    raw = read_frame(write_frame(tmp_path / "cal.fits", frame), need_time=False)
    assert raw.exposure.done == (ALL if bias else (Step.BIAS, Step.DARK))
    again = reduce_frame(raw, masters)
    np.testing.assert_array_equal(again.pixels, frame.pixels)


def test_darks_of_another_exposure_are_told(tmp_path):
    camera = Camera(tmp_path)
    darks = [*camera.take("dark", 4, 0, 60.0), *camera.take("dark", 2, 0, 30.0)]
    notes = masters_of(camera, light_exposure(), darks=darks).notes
    assert any("2 of 6" in str(note) for note in notes if note.subject == FrameKind.DARK)


def test_a_master_of_another_kind_is_not_taken(tmp_path):
    camera = Camera(tmp_path)
    paths = {
        kind: [path for path, _ in camera.take(kind, 3, level, seconds)]
        for kind, level, seconds in (("bias", 0, 0.0), ("dark", 0, 60.0), ("flat", 20000, 5.0))
    }
    for kind, files in paths.items():
        for file in files:
            fits.setval(file, "IMAGETYP", value=kind)
            fits.setval(file, "EXPTIME", value={"bias": 0.0, "dark": 60.0, "flat": 5.0}[kind])
    flat = tmp_path / "mf.fits"
    make_master(FrameKind.FLAT, paths["flat"], flat)
    with pytest.raises(InputError, match="master flat, and --bias"):
        make_master(FrameKind.DARK, paths["dark"], tmp_path / "md.fits", bias=flat)
    with pytest.raises(InputError, match="master flat, and --dark"):
        make_badpix(tmp_path / "bad.fits", dark=flat)


def written(folder, name, pixels, exposure):
    path = folder / name
    fits.PrimaryHDU(pixels.astype(np.float32)).writeto(path)
    return [(path, exposure)]


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("held", [True, False])
def test_a_master_dark_with_or_without_its_bias(held, told, tmp_path):
    camera = Camera(tmp_path)
    light = light_exposure()
    pixels = camera.rate * 60 + (camera.bias if held else 0)
    done = (Step.BIAS,) if told and not held else ()
    exposure = replace(light, kind="dark", filter=None, done=done)
    darks = written(tmp_path, "master_dark.fits", pixels, exposure)
    masters = masters_of(camera, light, darks=darks)
    frame = reduce_frame(frame_of(camera.expose(300.0, 60.0), light), masters)
    assert np.nanmedian(frame.pixels[camera.good]) == pytest.approx(300.0, abs=1.0)


def test_a_flat_that_was_calibrated_keeps_its_response(tmp_path):
    camera = Camera(tmp_path)
    light = light_exposure()
    exposure = replace(light, kind="flat", done=(Step.BIAS, Step.DARK), exposure_s=5.0)
    flats = written(tmp_path, "master_flat.fits", 1500 * camera.response, exposure)
    masters = masters_of(camera, light, flats=flats)
    ratio = masters.flat[camera.good] / camera.response[camera.good]
    assert np.ptp(ratio / np.median(ratio)) < 0.01


def test_lights_below_the_bias_are_not_calibrated_again(tmp_path):
    camera = Camera(tmp_path)
    light = light_exposure()
    path = tmp_path / "light.fits"
    fits.PrimaryHDU(np.full(SHAPE, 50, np.int16)).writeto(path)
    with pytest.raises(CalibrationError, match="light"):
        masters_of(camera, light, lights=[path])
    done = replace(light, done=ALL)
    masters_of(camera, done, lights=[path])


@pytest.mark.parametrize(("done", "told"), [((), True), (ALL, False)])
def test_no_warm_pixel_is_said_to_be_taken_off_where_none_is(done, told, tmp_path):
    camera = Camera(tmp_path)
    camera.rate[::9, ::11] = 60.0
    light = light_exposure(done=done)
    lights = [path for path, _ in camera.take("light", 6, 300.0, 60.0)]
    masters = build_masters(light, [], [], [], [], settings=SETTINGS, light_frames=lights)
    assert (masters.dark is not None) == told


@pytest.mark.parametrize(
    ("cards", "done"),
    [
        ({"IMAGETYP": "Master Flat", "CALSTAT": "BD"}, (Step.BIAS, Step.DARK)),  # MaxIm DL
        ({"IMAGETYP": "Master Flat"}, (Step.BIAS, Step.DARK)),
        ({"IMAGETYP": "FLAT", "STACKCNT": 20}, (Step.BIAS, Step.DARK)),  # Siril
        (
            {"IMAGETYP": "Flat Frame", "HISTORY": "ImageIntegration.numberOfImages: 30"},
            (Step.BIAS, Step.DARK),
        ),  # PixInsight
        ({"IMAGETYP": "Flat Field"}, ()),
        ({"IMAGETYP": "Flat Frame", "HISTORY": "ImageIntegration.numberOfImages: 1"}, ()),
    ],
)
def test_what_is_off_the_flats_of_other_programs(cards, done, tmp_path):
    """A master flat is made of calibrated flats: taken for a raw one, it loses a bias again."""
    pixels = np.random.default_rng(1).normal(20000, 100, (40, 50)).astype(np.float32)
    fits.writeto(tmp_path / "f.fits", pixels, fits.Header(list(cards.items())))
    (entry,) = take_inventory(tmp_path).entries
    assert entry.kind == "flat"
    assert entry.exposure.done == done
    assert bool(entry.stack) == bool(done)
