"""What one file of a folder is: read, told its kind, and why it is or is not used."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any

from lightcurve.core.data import Exposure, FrameKind, FrameStatus, Step
from lightcurve.core.dates import iso_from_jd
from lightcurve.core.errors import FrameError, HeaderError
from lightcurve.core.guard import guard_frame
from lightcurve.core.settings import Settings
from lightcurve.frames.cards import Cards, find, number
from lightcurve.frames.headers import TIMELESS, normalise, warn_of_no_time
from lightcurve.frames.kinds import is_stack, kind_by_content, kind_by_keyword
from lightcurve.frames.manifest import Edit, apply_key
from lightcurve.frames.planes import count_planes, plane_of
from lightcurve.frames.pointing import has_wcs
from lightcurve.frames.read import is_image_name, read_cards, read_frame

__all__ = ["Entry", "ToldBy"]

OWN_CARD = "LCPRODCT"  # every FITS file this program writes has it


class ToldBy(Enum):
    """What tells the kind of a frame."""

    NOTHING = auto()
    KEYWORD = auto()
    NAME = auto()
    CONTENT = auto()
    MANIFEST = auto()


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the folder.

    Attributes
    ----------
    name : str
        Relative to the folder, with forward slashes.
    kind_source : str
        Keyword, file name, content or manifest, in words.
    exposure : Exposure
        That says nothing when the file could not be read.
    setup : tuple
        Camera, (ny, nx), binning, filter (not of bias and dark frames) and gain setting with
        offset and readout mode.
    status : FrameStatus
        Ok or unused.
    reason : str
        Why it is not used, or what was odd; empty when all is well.
    time_error : HeaderError or None
        Where the clocks of its header are why it is not used.
    told_by : ToldBy
        What told its kind.
    lost : bool
        A frame that nobody left out on purpose and that still cannot be used: broken, without a
        certain time, of unknown kind.
    serial : str
        Of the camera; empty where the header does not tell.
    stack : str
        The card that says that it is combined of others; empty where none does.
    has_wcs : bool
        Whether its header claims to place it on the sky.
    product : str
        What this program wrote it as, such as ``"master bias"``; empty for frames of others.
    """

    path: Path
    name: str
    kind: FrameKind
    kind_source: str = ""
    exposure: Exposure = field(default_factory=Exposure)
    setup: tuple = ()
    status: FrameStatus = FrameStatus.OK
    reason: str = ""
    time_error: HeaderError | None = None
    told_by: ToldBy = ToldBy.NOTHING
    lost: bool = False
    serial: str = ""
    stack: str = ""
    has_wcs: bool = False
    product: str = ""

    @property
    def guessed(self) -> bool:
        """Whether something else than a keyword told its kind."""
        return self.told_by not in {ToldBy.NOTHING, ToldBy.KEYWORD}

    def row(self) -> dict[str, Any]:
        """Give its row of frames.csv."""
        exposure = self.exposure
        middle = exposure.mid_jd_utc
        return {
            "file": self.name,
            "kind": self.kind,
            "kind_source": self.kind_source,
            "filter": exposure.filter,
            "exposure_s": exposure.exposure_s,
            "mid_utc": None if middle is None else iso_from_jd(middle),
            "binning": None if exposure.binning is None else "{}x{}".format(*exposure.binning),
            "temperature_c": exposure.temperature_c,
            "nx": exposure.shape[1] or None,
            "ny": exposure.shape[0] or None,
            "use": "yes" if self.status == FrameStatus.OK else "no",
            "status": self.status,
            "reason": self.reason,
        }


def entries_of(path: Path, name: str, settings: Settings, edits: dict[str, Edit]) -> list[Entry]:
    """Tell what a file is: one frame, or as many as a cube has planes.

    edits: of the file, or of a plane by its own name; what is told of it is taken out.
    """
    edit = edits.pop(apply_key(name), None)
    if not is_image_name(path):
        why = "not a FITS file"
        kind = FrameKind.OTHER
        return [Entry(path, name, kind, "file name", status=FrameStatus.UNUSED, reason=why)]
    try:
        with guard_frame(path):
            read = read_cards(path, settings.camera.profile)
    except FrameError as error:
        return [_broken(path, name, edit, error)]
    count = count_planes(read[0])
    if count == 1:
        return [_entry(path, name, read, settings, edit)]
    entries = []
    for k in range(count):
        own = edits.pop(apply_key(f"{name}[{k}]"), edit)
        plane = path.with_name(f"{path.name}[{k}]")
        notes = tuple(note for note in read[2] if not note.startswith("plane "))
        entries.append(_entry(plane, f"{name}[{k}]", (*read[:2], notes), settings, own))
    return entries


def twin_of(path: Path, name: str, twin: str) -> Entry:
    """Leave out a camera's raw file that was converted to FITS beside it."""
    why = f"the same frame as {twin}, which is taken"
    kind = FrameKind.OTHER
    return Entry(path, name, kind, "file name", status=FrameStatus.UNUSED, reason=why)


def _broken(path: Path, name: str, edit: Edit | None, error: FrameError) -> Entry:
    kind = edit.kind if edit and edit.kind else FrameKind.UNKNOWN
    return Entry(path, name, kind, status=FrameStatus.UNUSED, reason=error.reason, lost=True)


def _entry(
    path: Path,
    name: str,
    read: tuple[Cards, tuple[int, int], tuple[str, ...]],
    settings: Settings,
    edit: Edit | None,
) -> Entry:
    """Tell what a frame is; read: what `read_cards` gave of its file."""
    cards, shape, notes = read
    try:
        with guard_frame(path):
            exposure, error = normalise(cards, path=path, shape=shape, settings=settings)
            kind, source, told_by = _kind(path, exposure, cards, edit)
    except FrameError as unreadable:
        return _broken(path, name, edit, unreadable)
    sources = {**exposure.sources, "kind": source}
    exposure = warn_of_no_time(replace(exposure, kind=kind, sources=sources), error)
    exposure = replace(exposure, warnings=(*exposure.warnings, *notes))
    stack = "" if plane_of(path) is not None else is_stack(cards) or ""
    exposure = _as_master(exposure, stack)
    reason = _left_out(exposure, cards, edit)
    fault = "" if reason else _fault(kind, error)
    return Entry(
        path=path,
        name=name,
        kind=kind,
        kind_source=source,
        exposure=exposure,
        setup=_setup(exposure, cards),
        status=FrameStatus.UNUSED if reason or fault else FrameStatus.OK,
        reason=reason or fault or "; ".join(exposure.warnings),
        time_error=error if error is not None and fault == error.reason else None,
        told_by=told_by,
        lost=bool(fault),
        serial=exposure.serial or "",
        stack=stack,
        has_wcs=has_wcs(cards),
        product=own.text if (own := find(cards, "own_product")) else "",
    )


def _kind(
    path: Path, exposure: Exposure, cards: Cards, edit: Edit | None
) -> tuple[FrameKind, str, ToldBy]:
    """Tell the kind of a frame, its source in words, and by what."""
    if edit and edit.kind:
        return edit.kind, "manifest", ToldBy.MANIFEST
    if exposure.kind == FrameKind.UNKNOWN:
        return *_look_at_pixels(path, exposure, cards), ToldBy.CONTENT
    told_by = ToldBy.KEYWORD if kind_by_keyword(cards) else ToldBy.NAME
    return exposure.kind, exposure.sources.get("kind", ""), told_by


def _look_at_pixels(path: Path, exposure: Exposure, cards: Cards) -> tuple[FrameKind, str]:
    frame = read_frame(path, need_time=False)
    bits = cards["BITPIX"].text if "BITPIX" in cards else ""
    highest = exposure.saturation_adu or (255.0 if number(bits) == 8 else 65535.0)
    return kind_by_content(frame.pixels, exposure.exposure_s, highest)


def _as_master(exposure: Exposure, stack: str) -> Exposure:
    """Take a combined flat for what programs make of flats: bias and dark are off, if unsaid."""
    if not stack or exposure.kind != FrameKind.FLAT or exposure.done:
        return exposure
    said = f"{stack}: a master flat, whose bias and dark are taken to be off already"
    done = (Step.BIAS, Step.DARK)
    return replace(exposure, done=done, warnings=(*exposure.warnings, said))


def _left_out(exposure: Exposure, cards: Cards, edit: Edit | None) -> str:
    """Say why a readable frame is left out on purpose; an empty string when it is not."""
    if edit and edit.use is False:
        return edit.reason or "left out by the manifest"
    wanted = bool(edit and edit.use)
    if find(cards, "own_product") and not wanted:
        return f"made by lightcurve itself ({OWN_CARD} in its header)"
    if exposure.kind in {FrameKind.SPECTRUM, FrameKind.BAD} and not wanted:
        return f"no picture of stars: {exposure.sources['kind'].removeprefix('header ')}"
    return "" if wanted else _too_short(exposure, cards)


def _too_short(exposure: Exposure, cards: Cards) -> str:
    """Say that a light frame is shorter than the camera's profile wants it."""
    shortest = cards.camera.camera.shortest_s if cards.camera else None
    if cards.camera is None or shortest is None or exposure.kind != FrameKind.LIGHT:
        return ""
    length = exposure.exposure_s
    short = length is not None and length < shortest
    return f"{length:g} s, {cards.camera.source} wants {shortest:g} s or more" if short else ""


def _fault(kind: FrameKind, error: HeaderError | None) -> str:
    """Say what is wrong with a frame that is wanted; an empty string for nothing."""
    if error is not None and kind not in TIMELESS:
        return error.reason
    if kind == FrameKind.UNKNOWN:
        return "neither header, name nor pixels tell its kind: set it in a manifest (--manifest)"
    return ""


def _setup(exposure: Exposure, cards: Cards) -> tuple:
    """Lay out what frames of one setup have in common; gains in e/ADU are measured by some."""
    band = None if exposure.kind in {FrameKind.BIAS, FrameKind.DARK} else exposure.filter
    told = {"GAIN": exposure.gain_setting} if find(cards, "gain_setting") else {}
    told |= {"offset": exposure.offset_setting, "mode": exposure.readout_mode}
    words = [word if name == "GAIN" else f"{name} {word}" for name, word in told.items() if word]
    return (exposure.camera, exposure.shape, exposure.binning, band, ", ".join(words) or None)
