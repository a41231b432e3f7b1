"""The wheel on every Python, with the lowest declared versions of all it needs and the newest.

    python -m benchmarks.versions [--pythons 3.11 3.13] [--resolutions lowest newest]
        [--folder DIR] [-- TESTS AND OPTIONS OF PYTEST]

Builds sdist and wheel from what is committed, and refuses them where they do not hold what the
repository does. Then each Python of 3.11 to 3.14 that is on this machine gets two environments
below DIR, by `uv` (`pip install uv`), which alone resolves downwards: there `lightcurve demo` runs
from an empty folder, and the suite as the sdist has it, against the wheel. A suite takes a quarter
of an hour, an environment half a gigabyte.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXTRAS = ("test", "cluster", "raw", "docs")
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
# An old version of these does not build on a new Python: there the lowest is that with a wheel.
NOT_BUILT = ("numpy", "scipy", "pandas", "matplotlib", "astropy", "photutils", "pydantic-core")
NOT_SHIPPED = {".ci/run", ".gitignore"}
# Old libraries beside newer ones of their own: what these say of them is theirs to mend.
LENIENT = ("-W", "ignore::DeprecationWarning", "-W", "ignore::PendingDeprecationWarning")
OF_SOURCES = ("tests/test_house.py",)  # looks at the sources themselves


def run(*command: str | Path, quiet: bool = False, cwd: Path | None = None) -> int:
    """Run a program without this one's own packages in its way; gives its exit status."""
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        [*map(str, command)], check=False, cwd=cwd, env=clean, capture_output=quiet, text=True
    )
    if quiet and done.returncode:
        print(done.stdout, done.stderr, sep="\n", flush=True)
    return done.returncode


def must(*command: str | Path, cwd: Path | None = None) -> None:
    """Run a program, and end where it fails."""
    if run(*command, quiet=True, cwd=cwd):
        sys.exit(f"failed: {' '.join(map(str, command))}")


def committed() -> set[str]:
    """List the files of the repository that are shipped."""
    command = ["git", "-C", str(ROOT), "ls-files"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return {*listed.stdout.splitlines()} - NOT_SHIPPED


def build(folder: Path) -> tuple[Path, Path]:
    """Build sdist and wheel of the last commit; gives both."""
    shutil.rmtree(folder, ignore_errors=True)
    must("git", "clone", "--quiet", ROOT, folder / "sources")
    must("uv", "build", "--quiet", "--out-dir", folder, folder / "sources")
    return next(folder.glob("*.tar.gz")), next(folder.glob("*.whl"))


def faults(sdist: Path, wheel: Path) -> Iterator[str]:
    """Say what the archives hold too much or too little."""
    wanted = committed()
    with tarfile.open(sdist) as archive:
        names = [member.name for member in archive.getmembers() if member.isfile()]
    held = {name.split("/", 1)[1] for name in names}
    made = {name for name in held if ".egg-info/" in name} | {"PKG-INFO", "setup.cfg"}
    held -= made
    for name in sorted(held ^ wanted):
        yield f"{sdist.name}: {'lacks' if name in wanted else 'holds'} {name}"
    package = {name for name in wanted if name.startswith("lightcurve/")}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    for name in sorted(held ^ package):
        yield f"{wheel.name}: {'lacks' if name in package else 'holds'} {name}"


def environment(python: Path, resolution: str, wheel: Path, sources: Path, place: Path) -> Path:
    """Make an environment with the wheel; gives its Python."""
    must("uv", "venv", "--quiet", "--clear", "--python", python, place)
    inside = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = ("uv", "pip", "install", "--quiet", "--python", inside)
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    wheels = [word for name in NOT_BUILT for word in ("--only-binary", name)]
    chosen = ("--resolution", RESOLUTIONS[resolution], *wheels)
    needed = (*chosen, "-r", sources / "pyproject.toml", *extras)
    must(*install, *needed)
    must(*install, "--no-deps", wheel)
    return inside


def try_wheel(python: Path, sources: Path, tests: Sequence[str], *, lenient: bool) -> bool:
    """Run the demo from an empty folder, and the suite; tells whether both passed."""
    with tempfile.TemporaryDirectory() as empty:
        demo = run(python, "-P", "-m", "lightcurve", "demo", quiet=True, cwd=Path(empty))
    print(f"  demo from an empty folder: {'FAILED' if demo else 'passed'}", flush=True)
    left_out = [word for name in OF_SOURCES for word in ("--ignore", name)]
    suite = run(
        python, "-P", "-m", "pytest", "-q", "-n", "1", *left_out, *(LENIENT if lenient else ()),
        *tests, cwd=sources,
    )  # fmt: skip
    return not demo and not suite


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pythons", nargs="+", default=PYTHONS, help="versions or paths")
    parser.add_argument("--resolutions", nargs="+", default=[*RESOLUTIONS], choices=RESOLUTIONS)
    parser.add_argument("--folder", type=Path, default=Path("build/versions"))
    parser.add_argument("tests", nargs="*", help="of pytest, after --")
    given = parser.parse_args()
    folder = given.folder.absolute()
    sdist, wheel = build(folder)
    wrong = [*faults(sdist, wheel)]
    print("\n".join(wrong) or f"{sdist.name} and {wheel.name} hold what is committed", flush=True)
    failed = len(wrong)
    shutil.unpack_archive(sdist, folder, filter="data")
    sources = folder / sdist.name.removesuffix(".tar.gz")
    shutil.rmtree(sources / "lightcurve")  # what is tested is the wheel
    if (real := ROOT.parent / "shared").is_dir():  # frames, found beside the repository
        (folder / "shared").symlink_to(real)
    for version in given.pythons:
        found = subprocess.run(
            ["uv", "python", "find", "--no-python-downloads", "--no-project", version],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if found.returncode:
            print(f"Python {version}: not on this machine")
            continue
        for resolution in given.resolutions:
            print(f"Python {version}, {resolution}:", flush=True)
            place = folder / f"{resolution}-{Path(version).name}"
            python = environment(Path(found.stdout.strip()), resolution, wheel, sources, place)
            failed += not try_wheel(python, sources, given.tests, lenient=resolution == "lowest")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
