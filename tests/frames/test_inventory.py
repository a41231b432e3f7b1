"""Taking stock: kinds by keyword, name and pixels; setups; manifests; a folder full of oddities."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from lightcurve.core.columns import FRAMES
from lightcurve.core.errors import HeaderError, InputError
from lightcurve.core.settings import Settings
from lightcurve.frames.inventory import Inventory, take_inventory
from lightcurve.frames.kinds import kind_by_content
from lightcurve.frames.manifest import read_manifest
from lightcurve.night.lights import choose_lights
from lightcurve.tables.columns import write_table

RNG = np.random.default_rng(4)
NOISE = RNG.normal(300, 5, (64, 96)).astype(np.float32)


def stars(image: np.ndarray, n: int = 12) -> np.ndarray:
    y, x = np.indices(image.shape)
    for x0, y0 in RNG.uniform(5, 58, (n, 2)):
        image = image + 800 * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 5)
    return image


PIXELS = {
    "light": stars(NOISE),
    "dark": np.where(RNG.random(NOISE.shape) < 0.01, 4000, NOISE),
    "flat": 100 * NOISE * np.linspace(0.9, 1.1, 96),
}


def put(path: Path, data: np.ndarray = NOISE, **cards: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    hdu = fits.PrimaryHDU(data.astype(np.uint16))
    hdu.header.update({k.replace("_", "-"): v for k, v in cards.items()})
    hdu.writeto(path)
    return path


def at(minute: int) -> dict[str, object]:
    return {"DATE_OBS": f"2020-03-01T02:{minute:02d}:00", "EXPTIME": 30.0}


@pytest.fixture
def night(tmp_path: Path) -> Path:
    put(tmp_path / "hat1.fits", IMAGETYP="Light Frame", FILTER="V", **at(1))
    put(tmp_path / "hat2.fits", IMAGETYP="Light Frame", FILTER="V", **at(2))
    put(tmp_path / "hat10.fits", OBJECT="HAT", **at(3))
    put(tmp_path / "flats" / "img1.fit", EXPTIME=2.0, FILTER="V")
    put(tmp_path / "bias" / "b1.fts", IMAGETYP="zero", EXPTIME=0.0)
    put(tmp_path / "unnamed0.fits", EXPTIME=0.0)
    for kind, data in PIXELS.items():
        put(tmp_path / f"q-{kind[0]}.fits", data, **at(20 - len(kind)))  # the dark after the lights
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  =")
    (tmp_path / "notes.txt").write_text("clear sky")
    put(tmp_path / "notime.fits", IMAGETYP="LIGHT")
    put(tmp_path / "old-run" / "masters" / "m.fits")
    (tmp_path / "old-run" / "run.toml").write_text("")
    put(tmp_path / ".trash" / "x.fits")
    put(tmp_path / "master.fits", IMAGETYP="flat", LCPRODCT="flat")
    return tmp_path


def kinds(inventory: Inventory) -> dict[str, tuple[str, str]]:
    return {entry.name: (entry.kind, entry.status) for entry in inventory.entries}


def test_every_file_is_told(night: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in night.rglob("*")}
    inventory = take_inventory(night)
    assert kinds(inventory) == {
        "hat1.fits": ("light", "ok"),
        "hat2.fits": ("light", "ok"),
        "hat10.fits": ("light", "ok"),
        "flats/img1.fit": ("flat", "ok"),
        "bias/b1.fts": ("bias", "ok"),
        "unnamed0.fits": ("bias", "ok"),
        "q-l.fits": ("light", "ok"),
        "q-d.fits": ("dark", "ok"),
        "q-f.fits": ("flat", "ok"),
        "broken.fits": ("unknown", "unused"),
        "notes.txt": ("other", "unused"),
        "notime.fits": ("light", "unused"),
        "master.fits": ("flat", "unused"),
    }
    assert all(entry.reason for entry in inventory.entries if entry.status == "unused")
    names = [entry.name for entry in inventory.entries]
    assert names.index("hat2.fits") < names.index("hat10.fits")
    sources = {entry.name: entry.kind_source for entry in inventory.entries}
    assert "IMAGETYP" in sources["hat1.fits"]
    assert "OBJECT" in sources["hat10.fits"]
    assert sources["flats/img1.fit"] == "folder name"
    assert "content" in sources["q-d.fits"]
    assert inventory.summary() == "4 light, 2 bias, 1 dark, 2 flat, 3 unused, 1 not FITS"
    assert len({entry.setup for entry in inventory.used("light")}) == 2
    assert before == {p: p.stat().st_mtime_ns for p in night.rglob("*")}


def test_manifest_round_trip_and_edit(
    night: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("m") / "files.csv"
    inventory = take_inventory(night)
    write_table(path, FRAMES, inventory.rows())
    again = take_inventory(night, manifest=path)
    assert kinds(again) == kinds(inventory)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    for row in rows:
        if row["file"] == "hat2.fits":
            row.update(use="no", reason="cloud, thick")
        if row["file"] == "q-d.fits":
            row["kind"] = "bias"
        if row["file"] == "master.fits":
            row["use"] = "yes"
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    edited = {entry.name: entry for entry in take_inventory(night, manifest=path).entries}
    assert (edited["hat2.fits"].status, edited["hat2.fits"].reason) == ("unused", "cloud, thick")
    assert (edited["q-d.fits"].kind, edited["q-d.fits"].kind_source) == ("bias", "manifest")
    assert edited["master.fits"].status == "ok"
    assert edited["notime.fits"].status == "unused"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "needs the columns"),
        ("file,kind\na.fits,lihgt\n", "line 2: kind 'lihgt'"),
        ("file,use\na.fits,perhaps\n", "neither yes nor no"),
        ("file,use\na.fits,yes\na.fits,no\n", "stands twice"),
        ("file,use\nnowhere.fits,yes\n", "nowhere.fits is not in"),
        ("", "needs the columns"),
        ("file,use\n\x00,yes\n", "is not in|cannot be read"),
    ],
)
def test_bad_manifest(night: Path, text: str, message: str) -> None:
    path = night / "files.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        take_inventory(night, manifest=path)
    with pytest.raises(InputError, match="cannot be read"):
        read_manifest(path.with_name("none.csv"))


def test_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        take_inventory(tmp_path / "none")
    with pytest.raises(InputError, match="no FITS file"):
        take_inventory(tmp_path)
    path = tmp_path / "a.txt"
    path.write_text("x")
    with pytest.raises(InputError, match="not a folder"):
        take_inventory(path)


@pytest.mark.parametrize("kind", PIXELS)
@pytest.mark.parametrize("colours", [(1.0, 1.0, 1.0, 1.0), (0.5, 1.0, 1.0, 0.35)])
def test_content_of_mosaics(kind: str, colours: tuple[float, ...]) -> None:
    """A sky or lamp of two colours is neither noise nor unevenness."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:256, :300]
    light = np.full(y.shape, {"flat": 25000.0}.get(kind, 2500.0 if kind == "light" else 5.0))
    if kind == "light":
        for _ in range(25):
            at = rng.uniform(20, 230, 2)
            spot = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 12)
            light += rng.uniform(600, 4000) * spot
    response = np.tile(np.reshape(colours, (2, 2)), (128, 150))
    pixels = 800 + rng.poisson(light * response) + rng.normal(0, 4, y.shape)
    assert kind_by_content(pixels.astype(np.float32), 30.0, 65535.0)[0] == kind


@pytest.mark.parametrize("kind", PIXELS)
def test_content(kind: str) -> None:
    assert kind_by_content(PIXELS[kind], 30.0, 65535.0)[0] == kind
    assert kind_by_content(PIXELS[kind], 0.0, 65535.0)[0] == "bias"


def test_a_clock_to_be_settled_is_an_error(tmp_path: Path) -> None:
    """One frame of many with a broken clock is a row with a reason; more ask for an option."""
    clocks = {"DATE_OBS": "2020-03-01T02:00:00", "UT_OBS": "2020-03-01T09:00:00", "EXPTIME": 30.0}
    for name in ("a1.fits", "a2.fits"):
        put(tmp_path / name, IMAGETYP="LIGHT", **clocks)
    put(tmp_path / "b.fits", IMAGETYP="BIAS")
    wanted = r"a1.fits: the clocks disagree by 25200 s.*--time-key.*\(so with 2 of 2 light"
    with pytest.raises(HeaderError, match=wanted):
        choose_lights(take_inventory(tmp_path))
    chosen = Settings(time={"keyword": "UT-OBS"})
    assert take_inventory(tmp_path, chosen).summary() == "2 light, 1 bias"
    for k in range(9):
        put(tmp_path / f"good{k}.fits", IMAGETYP="LIGHT", **at(k))
    with pytest.raises(HeaderError, match="2 of 11 light frames"):
        choose_lights(take_inventory(tmp_path))
    (tmp_path / "a2.fits").unlink()
    inventory = take_inventory(tmp_path)
    assert len(choose_lights(inventory)) == 9
    assert [entry.name for entry in inventory.lost] == ["a1.fits"]
    assert any("1 frame cannot be used" in line for line in inventory.warnings)


def test_a_frame_without_stars_among_lights_is_no_dark(tmp_path: Path) -> None:
    for minute in (1, 3):
        put(tmp_path / f"{minute}.fits", PIXELS["light"], **at(minute))
    put(tmp_path / "clouded.fits", PIXELS["dark"], **at(2))
    put(tmp_path / "morning.fits", PIXELS["dark"], **at(50))
    inventory = take_inventory(tmp_path)
    assert kinds(inventory)["clouded.fits"] == ("light", "ok")
    assert kinds(inventory)["morning.fits"] == ("dark", "ok")
    assert any("1 frame taken for dark by their pixels" in line for line in inventory.warnings)


def test_times_are_looked_at(tmp_path: Path) -> None:
    for name, minute in (("a1.fits", 1), ("a2.fits", 1), ("b/a1.fits", 5)):
        put(tmp_path / name, IMAGETYP="LIGHT", **at(minute))
    lines = take_inventory(tmp_path).warnings
    assert any("same time" in line for line in lines)
    assert any("several folders" in line for line in lines)


def test_real_night(shared_data: Path, hatp32: list[Path]) -> None:
    inventory = take_inventory(shared_data / "hatp32")
    assert inventory.summary() == f"{len(hatp32)} light"
    assert inventory.warnings == ()
    assert len({entry.setup for entry in inventory.used("light")}) == 1
    assert inventory.rows()[0]["mid_utc"] == "2017-12-20T01:34:13.317"


@pytest.mark.parametrize(("raw_filter", "status"), [(None, "ok"), ("V", "unused"), ("B", "ok")])
def test_a_master_of_another_program_serves_where_no_raw_frames_do(
    raw_filter: str | None, status: str, tmp_path: Path
) -> None:
    put(tmp_path / "light.fits", IMAGETYP="Light", FILTER="V", **at(1))
    put(tmp_path / "mflat.fits", IMAGETYP="Master Flat", FILTER="V", CALSTAT="BD", EXPTIME=3.0)
    if raw_filter:
        put(tmp_path / "f1.fits", IMAGETYP="Flat", FILTER=raw_filter, EXPTIME=3.0)
    inventory = take_inventory(tmp_path)
    found = kinds(inventory)
    assert found["mflat.fits"] == ("flat", status)
    assert any("mflat.fits" in line for line in inventory.warnings) == (status == "ok")
    master = next(e for e in inventory.entries if e.name == "mflat.fits")
    assert master.exposure.done == ("bias", "dark")
