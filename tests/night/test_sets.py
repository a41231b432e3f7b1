"""Which light frames of a folder make one light curve, and what is left out of each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from typer.testing import CliRunner

import lightcurve as lc
from lightcurve.cli import app
from lightcurve.core.data import Exposure, FrameKind, FrameStatus, Site
from lightcurve.core.dates import iso_from_jd, jd_from_iso
from lightcurve.core.errors import InputError, SolveError
from lightcurve.core.settings import make_settings, read_settings
from lightcurve.frames.entries import Entry
from lightcurve.frames.inventory import Inventory, take_inventory
from lightcurve.night.calibrate import calibrate_folder
from lightcurve.night.grouping import FrameSet
from lightcurve.night.measure_table import measure_folder
from lightcurve.night.nights import plan_nights
from lightcurve.night.sets import find_sets, one_set, reduce_sets
from lightcurve.night.story import reduce_night
from lightcurve.setup.target import Target
from renderer import NightSpec, render_night
from sim import tiny_night

pytestmark = pytest.mark.usefixtures("undrawn")

FLAGSTAFF, TENERIFE = Site(35.0, -111.5), Site(28.3, -16.5)
EVENING = 2460586.7  # 2024-10-02, 21:48 at Flagstaff
TARGET = Target("X-1", 20.0, 30.0, "here")


def lights(n: int, jd: float = EVENING, every_s: float = 90.0, **said: object) -> list[Entry]:
    """Make light frames of one sort, as headers would tell them."""
    given = {"filter": "V", "exposure_s": 60.0, "shape": (400, 500), "site": FLAGSTAFF} | said
    camera, stack = given.pop("camera", "Cam"), str(given.pop("stack", ""))
    serial, binning = str(given.pop("serial", "")), given.get("binning")
    entries = []
    for k in range(n):
        exposure = Exposure(FrameKind.LIGHT, mid_jd_utc=jd + k * every_s / 86400, **given)
        setup = (camera, exposure.shape, binning, exposure.filter, None)
        path = Path(f"{exposure.mid_jd_utc:.6f}-{exposure.filter}-{camera}-{stack}-{serial}.fits")
        entries.append(
            Entry(
                path, path.name, FrameKind.LIGHT, exposure=exposure, setup=setup, stack=stack,
                serial=serial,
            )
        )  # fmt: skip
    return entries


def sets_of(
    entries: Iterable[Entry], target: Target | None = TARGET, **select: object
) -> list[FrameSet]:
    inventory = Inventory(Path("folder"), tuple(entries))
    return find_sets(inventory, make_settings({"select": select}), target)


def used(sets: Iterable[FrameSet]) -> dict[str, int]:
    return {one.label: len(one.lights) for one in sets if not one.unused}


def left_out(sets: Iterable[FrameSet]) -> list[int]:
    return [len(one.lights) for one in sets if one.unused]


def test_one_sort_of_frames_is_one_set_without_a_name() -> None:
    sets = sets_of(lights(40, object_name="X 1", ra_deg=20.0, dec_deg=30.1, scale_arcsec=1.0))
    assert used(sets) == {"": 40}
    assert sets[0].nights == ("2024-10-02",)


def test_two_filters_two_nights() -> None:
    four = [lights(20, EVENING + night, filter=band) for night in (0, 1) for band in ("V", "Rc")]
    everything = [entry for some in four for entry in some]
    names = [f"{band}-2024-10-0{day}" for day in (2, 3) for band in ("V", "Rc")]
    assert used(sets_of(everything)) == dict.fromkeys(names, 20)
    assert used(sets_of(everything, filter="R")) == {"2024-10-02": 20, "2024-10-03": 20}
    assert used(sets_of(everything, filter="V", night="2024-10-03")) == {"": 20}
    assert used(sets_of(everything, filter="V", join_nights=True)) == {"": 40}
    with pytest.raises(InputError, match=r"--filter B; there are: Rc, V"):
        sets_of(everything, filter="B")
    inventory = Inventory(Path("folder"), tuple(everything))
    with pytest.raises(InputError, match="4 light curves, not one") as told:
        one_set(inventory, make_settings({}))
    assert "\n" not in str(told.value)
    narrowed = one_set(inventory, make_settings({"select": {"filter": "V", "night": "2024-10-02"}}))
    statuses = [entry.status for entry in narrowed.entries]
    assert statuses.count(FrameStatus.OK) == 20
    assert all(e.reason for e in narrowed.entries if e.status is FrameStatus.UNUSED)


@pytest.mark.parametrize("nights", [2, 30])
@pytest.mark.parametrize("a_night", [1, 3])
def test_few_frames_a_night_are_a_series_of_nights(nights: int, a_night: int) -> None:
    series = [e for k in range(nights) for e in lights(a_night, EVENING + k, site=None)]
    sets = sets_of(series)
    assert used(sets) == {"": nights * a_night}
    assert len(sets[0].nights) == nights
    apart = sets_of(series, join_nights=False)
    assert sum(map(len, (one.nights for one in apart))) == nights


def test_a_gap_of_the_night_parts_nothing() -> None:
    """Eleven hours of a winter night with the Sun never up; without a site that is a day."""
    north = Site(66.0, 25.0)
    winter = 2460660.0 + 4.0 / 24  # 2024-12-15, 16 h UTC
    both = lights(20, winter, site=north) + lights(20, winter + 11 / 24, site=north)
    assert used(sets_of(both, None)) == {"": 40}
    unknown = lights(20, winter, site=None) + lights(20, winter + 11 / 24, site=None)
    assert len(used(sets_of(unknown, None))) == 2
    six_hours = lights(20, winter, site=None) + lights(20, winter + 7 / 24, site=None)
    assert used(sets_of(six_hours, None)) == {"": 40}


def test_each_site_and_telescope_is_its_own() -> None:
    sites = lights(20) + lights(20, EVENING + 0.01, site=TENERIFE)
    assert len(used(sets_of(sites, None))) == 2
    for unsaid in ({"site": None}, {"site": Site(35.0, 111.5)}, {"exposure_s": None}):
        assert used(sets_of(lights(14) + lights(6, EVENING + 0.1, **unsaid))) == {"": 20}
    telescopes = lights(20, telescope="A") + lights(20, EVENING + 2e-4, telescope="B")
    assert used(sets_of(telescopes)) == {"A": 20, "B": 20}
    twins = lights(20, serial="17") + lights(20, EVENING + 2e-4, serial="18")
    assert used(sets_of(twins)) == {"17": 20, "18": 20}


def test_frames_of_another_exposure() -> None:
    """A few for focus are left out; as many as the others are a curve; 60 and 90 s are one."""
    sets = sets_of(lights(60) + lights(4, EVENING + 0.2, exposure_s=5.0))
    assert used(sets) == {"": 60}
    assert left_out(sets) == [4]
    assert used(sets_of(lights(30) + lights(30, EVENING + 0.2, exposure_s=5.0))) == {
        "60_s": 30,
        "5_s": 30,
    }
    assert used(sets_of(lights(30) + lights(30, EVENING + 0.2, exposure_s=90.0))) == {"": 60}


def test_mixed_sizes() -> None:
    binned = lights(30, EVENING + 0.1, shape=(200, 250), binning=(2, 2))
    assert used(sets_of(lights(30, binning=(1, 1)) + binned)) == {"500x400": 30, "250x200": 30}
    sets = sets_of(lights(30, binning=(1, 1)) + binned[:2])
    assert (used(sets), left_out(sets)) == ({"": 30}, [2])


@pytest.mark.parametrize(
    "stack",
    [
        {"stack": "STACKCNT = 40"},
        {"exposure_s": 1800.0, "jd": EVENING + 0.02},  # open over the middles of the others
    ],
    ids=["by its header", "by its time"],
)
@pytest.mark.parametrize("n", [1, 5])
def test_a_stack_among_subs_is_left_out(stack: dict[str, object], n: int) -> None:
    sets = sets_of(lights(40) + lights(n, **{"every_s": 10.0, "jd": EVENING + 0.1} | stack))
    assert used(sets) == {"": 40}
    assert left_out(sets) == [n]
    only_stacks = lights(20, stack="STACKCNT = 40", jd=EVENING)
    assert used(sets_of(only_stacks)) == {"": 20}


def field(name: str | None, ra: float | None, n: int = 20, jd: float = EVENING) -> list[Entry]:
    place = {} if ra is None else {"ra_deg": ra, "dec_deg": 30.0}
    return lights(n, jd, object_name=name, scale_arcsec=1.0, **place)


def test_the_frames_of_the_target_s_field() -> None:
    here = field("X-1", 20.03)
    assert used(sets_of(here + field("Y-2", 21.0, jd=EVENING + 0.1))) == {"": 20}
    by_name = field("X 1", None) + field("Y-2", None, jd=EVENING + 0.1)
    assert used(sets_of(by_name)) == {"": 20}
    # Two names of one place, frames that do not say, and names that are the frames' own.
    assert used(sets_of(here + field("HD 1", 20.0, jd=EVENING + 0.1))) == {"": 40}
    assert used(sets_of(here + field(None, None, jd=EVENING + 0.1))) == {"": 40}
    own = [e for k in range(20) for e in field(f"X-1 {k:03d}", None, 1, EVENING + k / 900)]
    assert used(sets_of(own)) == {"": 20}
    # A mount that is off on one night does not make another field of a name that is the same.
    assert len(used(sets_of(here + field("X-1", 20.8, jd=EVENING + 1.0)))) == 2
    longest = field("X-1", None) + field("X-12", None, jd=EVENING + 0.1)
    [one] = [s for s in sets_of(longest, Target("X-12 b", 20.0, 30.0, "here")) if not s.unused]
    assert one.exposure.object_name == "X-12"
    # A name that nobody knows is no reason to leave anything out.
    strange = Target("TIC 4711", 20.0, 30.0, "here")
    assert len(used(sets_of(by_name, strange))) == 2
    chosen = sets_of(by_name, strange, object="y2")
    assert [one.exposure.object_name for one in chosen if not one.unused] == ["Y-2"]


def test_all_that_look_elsewhere_are_tried() -> None:
    assert used(sets_of(field("X-1", 120.0))) == {"": 20}


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    inventory = Inventory(tmp_path, tuple(lights(20) + lights(20, EVENING + 3e-4, filter="B")))
    sets = find_sets(inventory, make_settings({}))

    def reduce(one: FrameSet, mine: Inventory, place: Path) -> int:
        if one.label in broken:
            raise SolveError(one.label)
        assert place == tmp_path / one.label
        return len(mine.used(FrameKind.LIGHT))

    broken = {"V"}
    done = reduce_sets(inventory, sets, tmp_path, reduce)
    assert [(run.frames.label, run.made) for run in done] == [("V", None), ("B", 20)]
    assert isinstance(done[0].error, SolveError)
    broken = {"V", "B"}
    with pytest.raises(SolveError, match="V"):
        reduce_sets(inventory, sets, tmp_path, reduce)


# ---- frames on disk


def put(folder: Path, shift_h: float, **options: object) -> None:
    """Render a few small frames of one sky, named after filter and hour."""
    made = folder.parent / f"made-{shift_h}-{options.get('filter')}"
    start = 2460586.62 + shift_h / 24
    tiny_night(
        made, n_frames=12, shape=(200, 240), n_stars=30, start_jd_utc=start, cadence_s=90.0,
        n_flat=3, n_bias=3, **options,
    )  # fmt: skip
    folder.mkdir(exist_ok=True)
    for path in made.glob("*.fits"):
        path.rename(folder / f"{made.name}-{path.name}")


WANTED = {"ra": "20.0", "dec": "30.0"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two filters interleaved, and a night later one of them, of which no frame has a WCS."""
    place = tmp_path_factory.mktemp("several") / "night"
    put(place, 0.0, filter="V", header_wcs=True)
    put(place, 0.0125, filter="R", header_wcs=True)
    put(place, 24.0, filter="V")
    return place


def run(folder: Path, out: Path, *more: str) -> dict[str, object]:
    told = CliRunner().invoke(
        app,
        [
            "run", str(folder), "--ra", "20", "--dec", "30", "--solver", "header", "--workers", "1",
            "--offline", "--out", str(out), "--json", *more,
        ],
    )  # fmt: skip
    return {"exit": told.exit_code, **json.loads(told.stdout)}


def test_a_run_for_each(folder: Path, tmp_path: Path) -> None:
    told = run(folder, tmp_path / "out")
    names = ["V-2024-10-02", "Rc-2024-10-02", "V-2024-10-03"]
    assert [one["set"] for one in told["runs"]] == names
    assert told["exit"] == 0
    solvers = [one["summary"]["solver"]["value"] for one in told["runs"]]
    assert solvers == ["header", "header", "registration"]  # by the frames of the other sets
    for one in told["runs"]:
        mine = tmp_path / "out" / one["set"]
        assert one["summary"]["frames_measured"]["value"] == 12
        table = lc.read_light_curve(mine / "lightcurve.csv")
        assert (len(table.file), np.ptp(table.jd_utc) * 24) == (12, pytest.approx(11 * 90 / 3600))
        flats = fits.getheader(mine / "masters" / "master_flat.fits")["HISTORY"]
        assert any(f"-{one['filter'][0]}-flat" in line for line in flats)
        for name in ("report.html", "run.toml", "frames.csv"):
            assert (mine / name).exists()
    assert not (tmp_path / "out" / "run.toml").exists()
    # Its record makes one of them again, alone.
    record = tmp_path / "out" / "Rc-2024-10-02" / "run.toml"
    [again] = plan_nights(folder, read_settings(record))[1]
    assert {path.name.split("-light")[0] for path in again.made.scene.lights} == {"made-0.0125-R"}


def test_one_chosen_is_a_run_folder_as_ever(folder: Path, tmp_path: Path) -> None:
    told = run(folder, tmp_path / "out", "--filter", "V", "--night", "2024-10-02")
    assert told["exit"] == 0
    assert "runs" not in told
    assert told["summary"]["frames_tried"]["value"] == 12
    assert (tmp_path / "out" / "run.toml").exists()


def test_a_wcs_in_one_frame_serves_all(folder: Path, tmp_path: Path) -> None:
    """Joined, 12 of 24 frames have one; then one of 24 alone."""
    several = tmp_path / "night"
    several.mkdir()
    for path in folder.glob("*V-light*.fits"):
        (several / path.name).write_bytes(path.read_bytes())
    placed = [p for p in sorted(several.iterdir()) if "CTYPE1" in fits.getheader(p)]
    assert len(placed) == 12
    for path in placed[1:]:
        with fits.open(path, mode="update") as hdus:
            for keyword in ("CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2"):
                del hdus[0].header[keyword]
    told = run(several, tmp_path / "out", "--join-nights", "--filter", "V")
    assert told["summary"]["frames_measured"]["value"] == 24
    assert told["summary"]["solver"]["value"] == "header"


def test_python_says_which_there_are(folder: Path, tmp_path: Path) -> None:
    options = {"ra": "20", "dec": "30", "solver": "header", "offline": True, "workers": 1}
    with pytest.raises(InputError, match="3 light curves, not one"):
        lc.reduce_night(folder, tmp_path / "one", **options)
    with pytest.raises(InputError, match="3 light curves, not one"):
        measure_folder(folder, make_settings({"target": WANTED}), tmp_path / "measured")
    nights = lc.reduce_nights(folder, tmp_path / "all", filter="R", **options)
    assert {name: len(night.curve.flux) for name, night in nights.items()} == {"": 12}


def test_what_would_be_done_is_shown(folder: Path, tmp_path: Path) -> None:
    settings = make_settings({"target": WANTED, "solve": {"solvers": ["header"]}})
    sets, planned = plan_nights(folder, settings)
    assert [one.label for one in sets] == [plan.frames.label for plan in planned]
    assert [len(plan.made.scene.lights) for plan in planned if plan.made] == [12, 12, 12]
    told = CliRunner().invoke(app, ["inspect", str(folder), "--json"])
    rows = json.loads(told.stdout)
    assert len({row["set"] for row in rows if row["kind"] == "light"}) == 3
    rows = calibrate_folder(folder, make_settings({}), tmp_path / "calibrated")
    assert [row["status"] for row in rows].count(FrameStatus.CALIBRATED) == 36
    assert len(list((tmp_path / "calibrated" / "V-2024-10-03").glob("*_cal.fits"))) == 12


def test_two_telescopes_in_one_real_folder(shared_data: Path) -> None:
    frames = shared_data / "nights" / "seestar-m94"
    if not frames.is_dir():
        pytest.skip(f"no {frames}")
    inventory = take_inventory(frames)
    target = Target("M 94", 192.72, 41.12, "here")
    sets = find_sets(inventory, make_settings({}), target)
    assert [(len(one.lights), bool(one.unused)) for one in sets] == [(8, False), (2, True)]
    second = make_settings({"select": {"night": "2025-04-09"}})
    only = one_set(inventory, second, target)
    assert {entry.exposure.site.latitude_deg for entry in only.used(FrameKind.LIGHT)} == {45.0}


def test_twins_that_no_header_tells_apart_are_told_by_their_folders() -> None:
    """Two cameras open at once; but folders of one camera, evening and morning, are one."""
    one, other = lights(20), lights(20, EVENING + 40 / 86400)

    def put_into(folder: str, entries: list[Entry]) -> list[Entry]:
        return [replace(entry, path=Path(folder) / entry.path) for entry in entries]

    sets = sets_of(put_into("east", one) + put_into("west", other))
    assert list(used(sets).values()) == [20, 20]
    assert [len({entry.path.parent for entry in each.lights}) for each in sets] == [1, 1]
    morning = lights(20, EVENING + 0.1)
    assert used(sets_of(put_into("evening", one) + put_into("morning", morning))) == {"": 40}


def test_a_series_of_nights_by_the_second_renderer(tmp_path: Path) -> None:
    """One frame a night, no site, one WCS in all: one curve, with the airmass of the headers."""
    folder = tmp_path / "series"
    folder.mkdir()
    spec = NightSpec(n_frames=12, n_bias=0, n_dark=0, n_flat=0, transit=False, shape=(200, 230))
    truth = render_night(spec, tmp_path / "night", np.random.default_rng(3))
    for k, path in enumerate(truth.lights):
        header, pixels = fits.getheader(path), fits.getdata(path)
        jd = jd_from_iso(header["DATE-OBS"]) + 2 * k
        header["DATE-OBS"] = iso_from_jd(jd)
        for word in ("SITELAT", "SITELONG", "SITEELEV"):
            del header[word]
        header["AIRMASS"] = round(truth.airmass[k], 4)
        if k != 8:
            for word in ("CTYPE1", "CTYPE2", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2"):
                del header[word]
        fits.writeto(folder / path.name, pixels, header)
    place = {"ra": str(truth.ra_deg[0]), "dec": str(truth.dec_deg[0])}
    settings = make_settings(
        {"target": place, "solve": {"solvers": ["header"]}, "catalogs": {"offline": True}}
        | {"workers": 1}
    )
    night = reduce_night(folder, settings, tmp_path / "run")
    assert night.scene.reference.path.name == "light_0009.fits"
    assert len(night.measurements.file) == 12
    assert np.round(np.ptp(night.curve.jd_utc)) == 22
    assert night.measurements.airmass == pytest.approx(truth.airmass, abs=1e-3)
    assert np.nanstd(night.curve.flux) < 0.01
    assert "12 nights" in (tmp_path / "run" / "report.html").read_text()


def test_one_wcs_in_a_real_series_of_nights(shared_data: Path, tmp_path: Path) -> None:
    """A Cepheid, a frame a night: ten of them, and a WCS in the third alone."""
    frames = sorted((shared_data / "nights" / "ogle-cepheid").glob("*.fts.gz"))[:10]
    if not frames:
        pytest.skip("no ogle-cepheid")
    for path in frames:
        (tmp_path / path.name).symlink_to(path)
    settings = make_settings(
        {"target": {"name": "73.09015,-69.30855"}, "solve": {"solvers": ["header"]}, "workers": 1}
    )
    sets, [plan] = plan_nights(tmp_path, settings)
    assert (len(sets), len(sets[0].nights)) == (1, 10)
    assert plan.made.scene.reference.path == tmp_path / frames[2].name
    assert (
        plan.made.scene.recipe.plan.target_detected
    )  # in the header's WCS, which is 5.4 arcsec off
