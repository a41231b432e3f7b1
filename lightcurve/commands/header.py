"""`lightcurve header`: the cards of a file, and copies with cards written or mended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightcurve.commands.options import Frames, Json, takes_settings
from lightcurve.commands.shell import print_json, print_table

if TYPE_CHECKING:
    from lightcurve.core.settings import Settings
    from lightcurve.frames.edit import Change

Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for the copies; made if need be.")
]
Write = Annotated[
    bool, typer.Option("--write", help="Write the copies; else only what would change is shown.")
]
group = typer.Typer(no_args_is_help=True, help="Show cards of headers, write them into copies.")


@group.command()
def show(
    path: Annotated[Path, typer.Argument(help="A FITS file.")],
    keywords: Annotated[
        list[str] | None, typer.Argument(help="Only these; * stands for any.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """Show the cards of a file as they stand; `inspect` shows how they are understood."""
    from fnmatch import fnmatch

    from lightcurve.core.errors import InputError
    from lightcurve.core.registry import did_you_mean
    from lightcurve.frames.edit import read_headers

    wanted = [word.upper() for word in keywords or ["*"]]
    headers = read_headers(path)
    known = {keyword: "" for _, cards in headers for keyword in cards}
    for word in wanted:
        if not any(fnmatch(keyword, word) for keyword in known):
            msg = f"{path.name}: no card {word}{did_you_mean(word, known)}"
            raise InputError(msg)
    rows = [
        {"header": name, "keyword": keyword, "value": card.text, "comment": card.comment}
        for name, cards in headers
        for keyword, card in cards.items()
        if any(fnmatch(keyword, word) for word in wanted)
    ]
    if json:
        print_json(rows)
        return
    print_table(
        path.name, ["header", "keyword", "value", "comment"], (row.values() for row in rows)
    )


@group.command("set")
def set_cards(
    frames: Frames,
    *,
    cards: Annotated[
        list[str],
        typer.Option("--key", help="KEYWORD=VALUE, or KEYWORD='VALUE / comment'; repeat."),
    ],
    out: Out = None,
    write: Write = False,
    json: Json = False,
) -> None:
    """Write cards into copies of files: first shown, then written with --write."""
    from dataclasses import replace

    from lightcurve.frames.edit import parse_assignment, read_headers

    given = [parse_assignment(text) for text in cards]
    changes = {}
    for path in _files(frames):
        merged = {k: card for _, each in reversed(read_headers(path)) for k, card in each.items()}
        changes[path] = [
            replace(one, old=merged[one.keyword].text if one.keyword in merged else "")
            for one in given
        ]
    _finish(changes, {}, out, write=write, json=json)


@group.command()
@takes_settings(
    *("target", "site", "time", "camera.profile", "camera.gain_e_per_adu", "camera.read_noise_e"),
    *("camera.saturation_adu", "camera.telescope_diameter_m"),
)
def fix(
    frames: Frames,
    *,
    settings: Settings,
    out: Out = None,
    write: Write = False,
    json: Json = False,
) -> None:
    """Work out what headers lack or have wrong, and write it into copies with --write.

    Times, exposure, coordinates, site, altitude, airmass, gain: from what else the header says and
    from the options given. The files themselves are never changed.
    """
    from lightcurve.frames.fixes import find_fixes

    settings = _placed(settings)
    found = {path: find_fixes(path, settings) for path in _files(frames)}
    changes = {path: changes for path, (changes, _) in found.items()}
    left = {path: left for path, (_, left) in found.items()}
    _finish(changes, left, out, write=write, json=json)


def _placed(settings: Settings) -> Settings:
    """Give the place of a planet file, or of a target that is named by coordinates."""
    from lightcurve.setup.target import known_place

    target = settings.target
    pair = "," in target.name
    place = known_place(target) if target.planet_file or pair else None
    if place is None:
        return settings
    told = {"ra": f"{place[0]}", "dec": f"{place[1]}", "name": "" if pair else target.name}
    return settings.model_copy(update={"target": target.model_copy(update=told)})


def _files(frames: Sequence[Path]) -> list[Path]:
    from lightcurve.frames.read import image_files

    return list(dict.fromkeys(path for given in frames for path in image_files(given)))


def _finish(
    changes: dict[Path, list[Change]],
    left: dict[Path, tuple[str, ...]],
    out: Path | None,
    *,
    write: bool,
    json: bool,
) -> None:
    """Show what is to change, and write the copies where that is wanted."""
    from lightcurve.core.errors import InputError
    from lightcurve.frames.edit import write_changed

    if write and out is None:
        msg = "where to? give --out DIR for the copies"
        raise InputError(msg)
    copies = {
        path: write_changed(path, out, each) for path, each in changes.items() if write and out
    }
    if json:
        print_json([_record(path, each, left, copies) for path, each in changes.items()])
        return
    _print_changes(changes)
    _print_left(left)
    n = sum(bool(each) for each in changes.values())
    if write:
        typer.echo(f"{len(copies)} copies, {n} of them changed, in {out}")
    else:
        typer.echo(f"{n} of {len(changes)} files would change; --write --out DIR writes copies")


def _record(
    path: Path,
    changes: Sequence[Change],
    left: dict[Path, tuple[str, ...]],
    copies: dict[Path, Path],
) -> dict[str, Any]:
    rows = [
        {"keyword": one.keyword, "old": one.old or None, "new": one.value, "why": one.why}
        for one in changes
    ]
    return {"file": path, "changes": rows, "open": left.get(path, ()), "copy": copies.get(path)}


def _print_changes(changes: dict[Path, list[Change]]) -> None:
    """Show a line for each card that many files get for the same reason, with its range."""
    alike: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for each in changes.values():
        for one in each:
            alike[one.keyword, one.why].append(one)
    rows = [
        [keyword, _range([one.old or "-" for one in ones]), _range([o.text for o in ones]), why,
         len(ones)]
        for (keyword, why), ones in alike.items()
    ]  # fmt: skip
    if rows:
        print_table("", ["keyword", "is", "becomes", "why", "files"], rows)


def _range(texts: Sequence[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else f"{texts[0]} ... {texts[-1]}"


def _print_left(left: dict[Path, tuple[str, ...]]) -> None:
    told: dict[str, list[Path]] = defaultdict(list)
    for path, lines in left.items():
        for line in lines:
            told[line].append(path)
    for line, paths in told.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        typer.echo(f"{paths[0].name}{more}: {line}")
