"""Images that one frame gives keep what its header said and can be taken up again."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from lightcurve.core.flags import PixelFlag
from lightcurve.image.story import reduce_image
from lightcurve.image.write import write_regions
from sim_image import Observatory, offline, render_frame

SITE = Observatory(shape=(160, 160))
CENTER = (100.0, 20.0)
HOSTILE = {
    "OBJECT": "<script>alert(1)</script> it's",
    "OBSERVER": "x" * 150,
    "HIERARCH ESO DET long name": 1.5,
    "EQUINOX": 2000.0,
    "EXTNAME": "SCI",
    "CROTA2": 12.0,
    "CTYPE1A": "LINEAR",
}
# No value of FITS; a card that is broken off; a character beyond ASCII.
BROKEN = (b"FOCUS   = 1.2.3", b"AIRTEMP = 'no end", b"COMMENT \xe9t\xe9")


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A frame of a hostile header, and its stars."""
    from astropy.io import fits

    folder = tmp_path_factory.mktemp("sky")
    rng = np.random.default_rng(5)
    dec = CENTER[1] + rng.uniform(-70, 70, 25) / 3600
    ra = CENTER[0] + rng.uniform(-70, 70, 25) / 3600 / np.cos(np.radians(20.0))
    mag = rng.uniform(13.5, 16, 25)
    path = folder / "ey.fits"
    render_frame(path, ra, dec, mag, SITE, center=CENTER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        with fits.open(path, mode="update") as hdus:
            header = hdus[0].header
            for keyword, value in HOSTILE.items():
                header[keyword] = value
            for k, _ in enumerate(BROKEN):
                header[f"BROKEN{k}"] = k
    content = path.read_bytes()
    for k, card in enumerate(BROKEN):
        start = content.index(f"BROKEN{k} ".encode())
        content = content[:start] + card.ljust(80) + content[start + 80 :]
    path.write_bytes(content)
    lines = [f"{r:.8f},{d:.8f},{m:.4f}" for r, d, m in zip(ra, dec, mag, strict=True)]
    stars = folder / "stars.csv"
    stars.write_text("\n".join(["ra,dec,rmag", *lines]) + "\n")
    return path, stars


@pytest.fixture(scope="module")
def out(sky: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    reduce_image(sky[0], offline(sky[1], injected=0), folder)
    return folder


def test_the_calibrated_frame_can_be_reduced_again(
    sky: tuple[Path, Path], out: Path, tmp_path: Path
) -> None:
    raw = reduce_image(sky[0], offline(sky[1], psf="none", injected=0), tmp_path / "raw")
    first = raw.products.summary
    settings = offline(sky[1], psf="none", injected=0)
    again = reduce_image(out / "calibrated.fits", settings, tmp_path / "again").products.summary
    for name in ("exposure_s", "filter", "mid_jd_utc", "status", "band"):
        assert again[name] == first[name], name
    assert (again["exposure_s"], again["filter"]) == (SITE.exposure, "rp")
    assert again["zero_point_mag"] == pytest.approx(first["zero_point_mag"], abs=1e-3)
    for name, place in zip(("ra_deg", "dec_deg"), CENTER, strict=True):
        assert again[name] == pytest.approx(place, abs=2e-5)


@pytest.mark.parametrize("name", ["calibrated.fits", "residual.fits"])
def test_headers_keep_all_but_the_old_wcs(name: str, out: Path) -> None:
    from astropy.io import fits
    from astropy.wcs import WCS

    with fits.open(out / name) as hdus:
        header = hdus[0].header
        assert header["BITPIX"] == -32
    for keyword in ("OBJECT", "OBSERVER", "HIERARCH ESO DET long name", "EQUINOX"):
        assert header[keyword] == HOSTILE[keyword], keyword
    assert not {"EXTNAME", "CROTA2", "CTYPE1A", "BZERO", "BSCALE", "CDELT1"} & set(header)
    assert header["GAIN"] == SITE.gain
    assert header["BUNIT"] == "adu"
    assert header["CREATOR"].startswith("lightcurve ")
    assert any("cosmic rays" in line for line in header["HISTORY"])
    assert (name == "residual.fits") == any("taken off" in line for line in header["HISTORY"])
    text = header.tostring(sep="\n")
    assert "1.2.3" in next(line for line in text.splitlines() if line.startswith("FOCUS"))
    ra, dec = WCS(header, fix=False).all_pix2world(79.5, 79.5, 0)
    assert (float(ra), float(dec)) == pytest.approx(CENTER, abs=2e-5)


def test_units_and_bits_are_explained(out: Path) -> None:
    from astropy.io import fits

    with fits.open(out / "background.fits") as hdus:
        assert [hdu.header.get("BUNIT") for hdu in hdus] == ["adu", "adu", None]
        assert "kept out" in str(hdus["SOURCES"].header["COMMENT"])
    with fits.open(out / "calibrated.fits") as hdus:
        told = str(hdus["BAD"].header["COMMENT"])
    for flag in PixelFlag:
        assert f"{int(flag)} {flag.name}: " in told


def test_the_sidecar_is_read_without_a_warning(out: Path) -> None:
    """By astropy's own reader, warnings being errors."""
    from astropy.io import fits
    from astropy.wcs import WCS

    with fits.open(out / "solution.wcs") as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert hdus[0].data is None or hdus[0].data.size == 0
    assert (header["IMAGEW"], header["IMAGEH"]) == SITE.shape[::-1]
    ra, dec = WCS(header).all_pix2world(79.5, 79.5, 0)
    assert (float(ra), float(dec)) == pytest.approx(CENTER, abs=2e-5)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (float("nan"), ["image", "circle(10.0,20.5,4.0) # color=green text={7}"]),
        (0.5, ["icrs", 'circle(31.042825,-0.5,2.0") # color=green text={7}']),
    ],
    ids=["pixels", "sky"],
)
def test_regions_follow_the_layout_of_ds9(scale, expected, tmp_path):
    """Pixels count from 1 there; on the sky, lengths are in arc seconds."""
    table = Table(
        {"id": [7], "x": [9.0], "y": [19.5], "ra": [31.042825], "dec": [-0.5],
         "calib_star": [True], "found_by": ["search"]}
    )  # fmt: skip
    path = write_regions(tmp_path / "a.reg", table, (4.0, scale), np.array([False]))
    assert path.read_text().splitlines()[2:] == expected
