"""`lightcurve calib`: frames of another kind are refused, and numbers can be read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.errors import FrameError, InputError
from lightcurve.core.flags import PixelFlag
from lightcurve.core.settings import Settings
from lightcurve.image.prepare import calibrate_frame
from typed import files, run

SHAPE = (128, 160)
LEVELS = {"bias": (1000.0, 5.0), "dark": (1000.0, 5.0), "flat": (30000.0, 140.0)}


def frame(path: Path, kind: str | None, seconds: float | None = 0.0, seed: int = 0) -> Path:
    """Write a frame of noise; `kind` is what the header says."""
    level, noise = LEVELS.get(kind or "bias", LEVELS["bias"])
    pixels = np.random.default_rng(seed).normal(level, noise, SHAPE).astype(np.uint16)
    header = fits.Header({"IMAGETYP": kind} if kind else {})
    if seconds is not None:
        header["EXPTIME"] = seconds
    fits.writeto(path, pixels, header)
    return path


@pytest.mark.parametrize(
    ("wanted", "said"), [("bias", "light"), ("bias", "dark"), ("dark", "flat"), ("flat", "light")]
)
def test_a_frame_of_another_kind_is_named_and_refused(tmp_path, wanted, said):
    right = frame(tmp_path / "a.fits", wanted, 10.0)
    wrong = frame(tmp_path / "b.fits", said, 10.0)
    with pytest.raises(FrameError, match=rf"b\.fits.*header says {said}.*{wanted} frame"):
        run("calib", wanted, right, wrong, "--out", tmp_path / "m.fits")
    assert not (tmp_path / "m.fits").exists()


def test_noise_needs_the_right_kinds_too(tmp_path):
    bias = [frame(tmp_path / f"b{k}.fits", "bias", seed=k) for k in (0, 1)]
    light = [frame(tmp_path / f"l{k}.fits", "light", 1.0, seed=k) for k in (2, 3)]
    with pytest.raises(FrameError, match=r"l2\.fits.*light"):
        run("calib", "noise", "--bias", *bias, "--flat", *light)


def test_a_header_that_does_not_say_is_believed(tmp_path):
    """The user names the kind; a folder called `lights` does not speak against it."""
    (tmp_path / "lights").mkdir()
    paths = [frame(tmp_path / "lights" / f"x{k}.fits", None, seed=k) for k in range(3)]
    said = json.loads(run("calib", "bias", *paths, "--out", tmp_path / "m.fits", "--json"))
    assert said["median"]["value"] == pytest.approx(1000, abs=1)
    assert said["median"]["unit"] == "ADU"


def test_dark_flats_are_darks(tmp_path):
    paths = [frame(tmp_path / f"x{k}.fits", "DARKFLAT", 3.0, seed=k) for k in range(3)]
    assert "dark" in run("calib", "dark", *paths, "--out", tmp_path / "m.fits")


def test_mixed_exposures_name_their_files(tmp_path):
    paths = [frame(tmp_path / f"d{k}.fits", "dark", 60.0) for k in range(4)]
    paths.append(frame(tmp_path / "short.fits", "dark", 30.0))
    paths.append(frame(tmp_path / "nothing.fits", "dark", None))
    with pytest.raises(InputError) as refused:
        run("calib", "dark", *paths, "--out", tmp_path / "m.fits")
    assert str(refused.value).endswith(
        "60 s in d0.fits, d1.fits, d2.fits and 1 more; 30 s in short.fits; "
        "not known in nothing.fits"
    )


def test_the_table_is_rounded_and_json_is_not(tmp_path):
    paths = [frame(tmp_path / f"b{k}.fits", "bias", seed=k) for k in range(5)]
    exact = json.loads(run("calib", "bias", *paths, "--out", tmp_path / "m.fits", "--json"))
    scatter = exact["pixel_scatter"]["value"]
    shown = run("calib", "bias", *paths, "--out", tmp_path / "m.fits")
    assert f"{scatter:.4g} " in shown
    assert str(scatter) not in shown
    assert len(str(scatter)) > 8


GAIN, READ_NOISE, BIAS, DARK_E_S = 1.5, 8.0, 1000.0, 0.05  # of the simulated camera


@pytest.fixture(scope="module")
def masters(night: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("masters")
    paths = {kind: folder / f"{kind}.fits" for kind in ("bias", "dark", "flat", "bad")}
    run("calib", "bias", *files(night, "bias"), "--out", paths["bias"])
    run("calib", "dark", *files(night, "dark"), "--out", paths["dark"], "--bias", paths["bias"])
    run(
        "calib", "flat", *files(night, "flat"), "--out", paths["flat"], "--bias", paths["bias"],
        "--dark", paths["dark"],
    )  # fmt: skip
    run("calib", "badpix", "--out", paths["bad"], "--dark", paths["dark"], "--flat", paths["flat"])
    return paths


def test_masters_have_the_levels_put_in(night: Path, masters: dict[str, Path]) -> None:
    assert np.median(fits.getdata(masters["bias"])) == pytest.approx(BIAS, abs=1.5)
    seconds = fits.getheader(files(night, "dark")[0])["EXPTIME"]
    expected = DARK_E_S * seconds / GAIN
    assert np.median(fits.getdata(masters["dark"])) == pytest.approx(expected, abs=0.7)
    flat = fits.getdata(masters["flat"])
    assert np.nanmean(flat) == pytest.approx(1.0, abs=2e-3)
    middle, corner = flat[90:110, 110:130].mean(), flat[:12, :12].mean()
    assert 0.85 < corner / middle < 0.95  # 12 % of vignetting in the corner
    assert "bias_0001.fits" in repr(fits.getheader(masters["bias"]))


def test_bad_pixels_are_the_hot_ones(night: Path, masters: dict[str, Path]) -> None:
    """Hot is whose shot noise is 5 times a dark's, bias and all 50 ADU^2: 1250 ADU at gain 1."""
    bad = fits.getdata(masters["bad"]) != 0
    dark = fits.getdata(masters["dark"])
    assert bad[dark > 1600].all()
    assert not bad[dark < 900].any()
    assert 0.1e-3 < bad.mean() < 3e-3


def test_gain_and_read_noise_are_measured(night: Path) -> None:
    bias, flat = files(night, "bias"), files(night, "flat")
    said = run("calib", "noise", "--bias", *bias[:2], "--flat", *flat[:2], "--json")
    found = {name: result["value"] for name, result in json.loads(said).items()}
    assert abs(found["gain_e_per_adu"] - GAIN) < 4 * found["gain_err"] < 0.5
    assert abs(found["read_noise_e"] - READ_NOISE) < 4 * found["read_noise_err"] < 2


def test_the_map_of_a_folder_is_the_one_that_frames_are_calibrated_with(
    night: Path, tmp_path: Path
) -> None:
    said = json.loads(run("calib", "badpix", night, "--out", tmp_path / "bad.fits", "--json"))
    run("calibrate", night, "--out", tmp_path / "out")
    ours = fits.getdata(tmp_path / "out" / "masters" / "master_badpix.fits")
    np.testing.assert_array_equal(fits.getdata(tmp_path / "bad.fits"), ours)
    assert said["share"]["value"] == pytest.approx((ours != 0).mean())


def test_darks_alone_and_light_frames_alone_tell_of_bad_pixels(night: Path, tmp_path: Path) -> None:
    for kind in ("dark", "light"):
        (tmp_path / kind).mkdir()
        for path in files(night, kind):
            (tmp_path / kind / path.name).symlink_to(path)
        run("calib", "badpix", tmp_path / kind, "--out", tmp_path / f"{kind}.toml")
        assert "columns" in (tmp_path / f"{kind}.toml").read_text()


def test_a_map_is_taken_by_image_and_calibrate(night: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.yml"
    own.write_text("bad_columns: [11]\nbad_rectangles: [[3, 5, 20, 30]]\n")
    run("calibrate", night, "--out", tmp_path / "out", "--bad-pixels", own)
    bad = fits.getdata(sorted((tmp_path / "out").glob("*_cal.fits"))[0], 1)
    marked = (bad & PixelFlag.USER) != 0
    assert marked[:, 10].all()
    assert np.count_nonzero(marked) == bad.shape[0] + 33
    settings = Settings.model_validate({"calibration": {"bad_pixel_map": own}})
    reading = calibrate_frame(files(night, "light")[0], settings, None)
    np.testing.assert_array_equal((reading.frame.bad & PixelFlag.USER) != 0, marked)
    assert any("not calibrated" in note for note in reading.notes)


def test_cosmic_rays_are_marked_where_the_setting_is(night: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    for kind in ("bias", "dark", "flat", "light"):
        for path in files(night, kind)[:5]:
            shutil.copy(path, raw)
    first = files(raw, "light")[0]
    with fits.open(first, mode="update") as file:
        pixels = file[0].data
        rng = np.random.default_rng(2)
        dark = np.argwhere(pixels < np.percentile(pixels, 60))
        hits = dark[rng.choice(len(dark), 60, replace=False)]
        pixels[tuple(hits.T)] += 2500
    for option, least, most in (("--no-cosmic-rays", 0, 0), ("--mark-cosmic-rays", 0.97, 1)):
        out = tmp_path / option
        run("calibrate", raw, "--out", out, option, "--repair")
        done = out / f"{first.stem}_cal.fits"
        bad, clean = fits.getdata(done, 1), fits.getdata(done)
        found = (bad[tuple(hits.T)] & PixelFlag.COSMIC_RAY) != 0
        assert least <= found.mean() <= most
        assert "good ones within 2 px" in str(fits.getheader(done)["HISTORY"])
        if most:
            sky = np.median(clean)
            assert np.median(clean[tuple(hits.T)]) == pytest.approx(sky, abs=30)
            assert np.count_nonzero(bad & PixelFlag.COSMIC_RAY) < 6 * len(hits)


def test_arithmetic_as_it_is_typed(night: Path, tmp_path: Path) -> None:
    light, bias = files(night, "light")[0], files(night, "bias")[0]
    said = json.loads(
        run("calib", "arith", light, "sub", bias, "-o", tmp_path / "d.fits", "--json")
    )
    raw = fits.getdata(light).astype(float) - fits.getdata(bias)
    assert said["median"]["value"] == pytest.approx(np.median(raw))
    run("calib", "arith", tmp_path / "d.fits", "add", "-1e2", "-o", tmp_path / "e.fits")
    assert np.median(fits.getdata(tmp_path / "e.fits")) == pytest.approx(np.median(raw) - 100)


def test_before_and_after_calibration(night: Path, tmp_path: Path) -> None:
    run("calibrate", night, "--out", tmp_path / "out")
    light = files(night, "light")[0]
    done = tmp_path / "out" / f"{light.stem}_cal.fits"
    picture = tmp_path / "picture.png"
    said = json.loads(run("calib", "before-after", light, done, "--out", picture, "--json"))
    assert said["before_level"]["value"] > BIAS > said["after_level"]["value"] > 0
    # Vignetting is gone; the wings of stars are not.
    assert said["after_uneven"]["value"] < 0.8 * said["before_uneven"]["value"]
    assert picture.stat().st_size > 10_000
    assert (tmp_path / "out" / "before_after.png").exists()


def test_a_map_of_several_masters_wants_their_folder(tmp_path):
    out = str(tmp_path / "map.fits")
    one, other = str(tmp_path / "a.fits"), str(tmp_path / "b.fits")
    for path in (one, other):
        Path(path).touch()
    for given in (["--dark", one, "--dark", other], ["--bias", one]):
        with pytest.raises(InputError, match="give the folder"):
            run("calib", "badpix", *given, "--out", out)
        assert not (tmp_path / "map.fits").exists()
