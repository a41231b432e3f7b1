"""Folders of products over several runs: nothing stale, nothing of another frame, nothing lost."""

from __future__ import annotations

import csv
import json
import re
import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lightcurve.core.errors import InputError
from lightcurve.core.settings import Settings
from lightcurve.image import story as image
from lightcurve.image import workers
from lightcurve.image.batch import measure_sequence, reduce_images
from lightcurve.image.figures import Part, part_of
from lightcurve.image.story import reduce_image
from sim_image import Observatory, offline, render_frame

SITE = Observatory(shape=(160, 160))


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Two frames of the same stars, and the stars."""
    folder = tmp_path_factory.mktemp("sky")
    rng = np.random.default_rng(5)
    dec = 20.0 + rng.uniform(-70, 70, 25) / 3600
    ra = 100.0 + rng.uniform(-70, 70, 25) / 3600 / np.cos(np.radians(20.0))
    mag = rng.uniform(13.5, 16, 25)
    frames = [folder / name for name in ("ey.fits", "ey2.fits")]
    for seed, path in enumerate(frames):
        render_frame(path, ra, dec, mag, SITE, center=(100.0, 20.0), seed=seed)
    lines = [f"{r:.8f},{d:.8f},{m:.4f}" for r, d, m in zip(ra, dec, mag, strict=True)]
    stars = folder / "stars.csv"
    stars.write_text("\n".join(["ra,dec,rmag", *lines]) + "\n")
    return *frames, stars


def quick(stars: Path, figures: str = "none", **settings: object) -> Settings:
    return offline(stars, psf="none", injected=0, figures=figures, **settings)


def names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def packed(folder: Path, name: str = "ey.zip") -> set[str]:
    with zipfile.ZipFile(folder / name) as archive:
        return set(archive.namelist())


def test_what_a_run_does_not_give_does_not_stay_from_the_last(
    sky: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    frame, _, stars = sky
    reduce_image(frame, offline(stars, injected=0), tmp_path)
    gone = {"solution.wcs", "matches.csv", "psf.fits", "residual.fits",
            "figures/zero_point_psf.png", "figures/psf.png"}  # fmt: skip
    assert gone <= names(tmp_path)
    (tmp_path / "notes.txt").write_text("of the observer")
    blind = tmp_path / "elsewhere" / "ey.fits"
    blind.parent.mkdir()
    settings = offline(psf="none", injected=0)
    solve = settings.solve.model_copy(update={"solvers": ("local",)})
    reduced = reduce_image(frame, settings.model_copy(update={"solve": solve}), tmp_path)
    products = reduced.products
    assert products.summary["status"] == "not solved"
    here = names(tmp_path)
    assert not gone & here
    assert "notes.txt" in here
    given = {path.relative_to(tmp_path).as_posix() for path in products.paths.values()}
    assert here == given | {"run.log", "notes.txt"}
    images = {name for name in given if name.endswith((".fits", ".zip"))}
    assert packed(tmp_path) == given - images | {"run.log"}


def test_a_frame_that_can_no_longer_be_read_leaves_its_reason_alone(
    sky: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    frame = tmp_path / "ey.fits"
    shutil.copy(sky[0], frame)
    out = tmp_path / "out"
    reduce_images([frame], quick(sky[2], "all"), out)
    frame.write_bytes(frame.read_bytes()[:5000])
    (row,) = reduce_images([frame], quick(sky[2], "all"), out)
    assert row["status"] == "failed"
    assert names(out / "ey") == {"run.log", "summary.json"}
    summary = json.loads((out / "ey" / "summary.json").read_text())
    assert summary["status"] == "failed"
    assert summary["reason"] == row["reason"]
    assert "cut short" in summary["reason"]


def test_a_run_that_is_stopped_says_so(
    sky: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reduce_image(sky[0], quick(sky[2]), tmp_path)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(image, "measure_image", stop)
    with pytest.raises(KeyboardInterrupt):
        reduce_image(sky[0], quick(sky[2]), tmp_path)
    assert names(tmp_path) == {"run.log", "summary.json"}
    assert "stopped" in json.loads((tmp_path / "summary.json").read_text())["reason"]


def test_frames_of_the_same_name_do_not_replace_each_other(
    sky: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    """Two nights, each with its ey.fits, run after run into the same folder."""
    frames = [tmp_path / night / "ey.fits" for night in ("first", "second")]
    for frame in frames:
        frame.parent.mkdir()
        shutil.copy(sky[0], frame)
    out = tmp_path / "out"
    for _ in range(2):
        for frame, name in zip(frames, ("ey", "ey_2"), strict=True):
            (row,) = reduce_images([frame], quick(sky[2]), out)
            assert row["folder"] == str(out / name)
            assert json.loads((out / name / "summary.json").read_text())["path"] == str(frame)
    assert {path.name for path in out.iterdir()} == {"ey", "ey_2"}
    with pytest.raises(InputError, match=re.escape(f"holds what {frames[0]} gave")):
        reduce_image(frames[1], quick(sky[2]), out / "ey")


def test_a_folder_that_cannot_be_written_costs_its_frame_alone(
    sky: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "ey").mkdir()
    (tmp_path / "ey" / "figures").touch()
    rows = reduce_images(sky[:2], quick(sky[2], "all"), tmp_path)
    assert [row["status"] for row in rows] == ["failed", "reduced"]
    assert "figures: cannot be made" in rows[0]["reason"]
    assert names(tmp_path / "ey") == {"figures", "run.log", "summary.json"}
    # A folder that is a file.
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ey").touch()
    rows = reduce_images(sky[:2], quick(sky[2], "all"), tmp_path / "other")
    assert [row["status"] for row in rows] == ["failed", "reduced"]


@pytest.mark.parametrize("job", [reduce_images, measure_sequence])
def test_the_same_command_goes_on_where_it_was_stopped(
    job, sky: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure, measured = image.measure_image, []

    def watched(path: Path, *rest: object, **named: object) -> object:
        if path.name in stopping:
            raise KeyboardInterrupt
        measured.append(path.name)
        return measure(path, *rest, **named)

    def told(rows: list[dict]) -> list[str]:
        kept = [{k: v for k, v in row.items() if k != "folder"} for row in rows]
        return json.dumps(kept, sort_keys=True).replace("NaN", "null")

    for module in (image, workers):
        monkeypatch.setattr(module, "measure_image", watched)
    stopping = {"ey2.fits"}
    with pytest.raises(KeyboardInterrupt):
        job(sky[:2], quick(sky[2]), tmp_path / "out")
    stopping = set()
    rows = job(sky[:2], quick(sky[2]), tmp_path / "out")
    # The second of a sequence may be placed by the first, which is looked at again.
    again = ["ey.fits"] if job is measure_sequence else []
    assert measured == ["ey.fits", *again, "ey2.fits"]
    assert told(rows) == told(job(sky[:2], quick(sky[2]), tmp_path / "at once"))
    # With other settings, or another frame under that name, all is measured anew.
    measured.clear()
    job(sky[:2], quick(sky[2], threshold_sigma=7.0), tmp_path / "out")
    assert measured == ["ey.fits", "ey2.fits"]


def test_a_row_cut_off_in_the_middle_is_measured_anew(
    sky: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    first = measure_sequence(sky[:2], quick(sky[2]), tmp_path)
    kept = tmp_path / "sequence.jsonl"
    lines = kept.read_bytes().splitlines(keepends=True)
    assert len(lines) == 2
    kept.write_bytes(lines[0] + lines[1][:50])
    table = (tmp_path / "sequence.csv").read_bytes()
    again = measure_sequence(sky[:2], quick(sky[2]), tmp_path)
    assert (tmp_path / "sequence.csv").read_bytes() == table
    assert again[1]["zero_point_mag"] == first[1]["zero_point_mag"]
    with (tmp_path / "sequence.csv").open() as file:
        assert [row["standards"] for row in csv.DictReader(file)] == ["stars.csv"] * 2


def test_a_figure_is_shown_and_cleared_or_refused(tmp_path: Path) -> None:
    assert part_of(tmp_path / "zero_point_psf.png") is Part.ZERO_POINT
    assert part_of(tmp_path / "image.png") is None
    with pytest.raises(ValueError, match=r"histogram\.png is not among the figures"):
        part_of(tmp_path / "histogram.png")


@pytest.mark.parametrize("sequence", [False, True])
def test_a_mistake_of_the_program_costs_its_own_frame(
    sequence: bool, sky: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, stars = sky
    step = image.measure_seeing

    def fails(prepared):
        if prepared.frame.path == first:
            raise ZeroDivisionError("odd\nframe")
        return step(prepared)

    monkeypatch.setattr(image, "measure_seeing", fails)
    job = measure_sequence if sequence else reduce_images
    rows = job([first, second], quick(stars), tmp_path)
    assert [row["status"] for row in rows] == ["failed", "reduced"]
    assert "ZeroDivisionError" in rows[0]["reason"]
    assert "\n" not in rows[0]["reason"]
    folder = tmp_path if sequence else tmp_path / first.stem
    log = (folder / "run.log").read_text()
    assert log.count("Traceback") == 1
    assert "in fails" in log
    if not sequence:
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["reason"] == rows[0]["reason"]


def test_what_libraries_warn_of_goes_to_the_log_alone(
    sky: tuple[Path, Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    step = image.measure_seeing

    def warns(prepared):
        warnings.warn("of no use", UserWarning, stacklevel=1)
        return step(prepared)

    monkeypatch.setattr(image, "measure_seeing", warns)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        reduce_images([sky[0]], quick(sky[2]), tmp_path)
    assert "of no use" not in "".join(capfd.readouterr())
    assert "UserWarning: of no use" in (tmp_path / sky[0].stem / "run.log").read_text()
