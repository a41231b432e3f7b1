"""From any header to an `Exposure`: each value normalised, each with its source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from lightcurve.core.constants import DAY_S
from lightcurve.core.data import CALIBRATION, Exposure, Step
from lightcurve.core.dates import parse_calendar
from lightcurve.core.errors import HeaderError
from lightcurve.core.settings import CameraSettings, Settings, TimeSettings
from lightcurve.frames.cameras import equipped, in_manner_of
from lightcurve.frames.cards import Cards, Found, by_cards, find, find_all, number
from lightcurve.frames.clocks import (
    CLOCK_SLACK_S,
    READOUT_PART,
    READOUT_S,
    REMARK_S,
    Scale,
    audit_clocks,
    combined_span_s,
    read_clocks,
    settle_dates,
)
from lightcurve.frames.dialects import CLOCKS, FILTERS, KEYWORDS
from lightcurve.frames.kinds import filter_name, is_stack, kind_by_keyword, kind_by_name
from lightcurve.frames.location import Moment, read_overhead, read_site
from lightcurve.frames.mosaic import has_colours, read_mosaic
from lightcurve.frames.planes import (
    count_planes,
    of_one,
    plane_of,
    settle_cadence,
    table_starts,
)
from lightcurve.frames.pointing import focal_length_mm, read_pointing, read_scale
from lightcurve.frames.state import read_pedestal, read_state
from lightcurve.frames.units import read_unit

__all__ = ["TIMELESS", "normalise"]

Value = tuple[Any, str]
TIMELESS = frozenset(CALIBRATION)
LARGEST = 1e10  # no camera has a level, gain or scale beyond it
BANDS = (FILTERS.names.keys() | {"U", "J", "H", "K"}) - {"CV", "CR"}  # what is not open
LONGEST_S, LONGEST_MS = DAY_S, 1000 * DAY_S
SHUTTER_S = 0.1  # an exposure that was asked for, and how long the shutter was open
STORED_BITS = 16
KELVIN = 273.15
LEAST_GAIN, MOST_GAIN = 1e-9, 1e9  # in any unit of the pixels, also of frames from 0 to 1
FASTEST, SLOWEST = 1.2, 30.0  # focal ratios
SMALLEST_M, LARGEST_M = 0.02, 40.0  # of telescopes, from a finder to the largest being built
_PER_ADU = re.compile(
    r"e(?:lectrons?)?\s*[-_]?\s*(?:/|per)\s*(?:an?\s)?(?:adu|dn|a/d|count|data)", re.I
)
_PER_E = re.compile(r"(?:adu|dn|counts?)\s*(?:/|per)\s*e", re.I)
_IN_ADU = re.compile(r"\badu\b|\bdn\b", re.I)
_KELVIN = re.compile(r"kelvin|\[k\]|\bdeg k\b|\(k\)", re.I)
_UNITS_S = (
    (re.compile(r"\[us\]|\busecs?\b|microsec", re.I), 1e-6),
    (re.compile(r"\bms\b|\bmsecs?\b|millisec", re.I), 0.001),
    (re.compile(r"\[m(?:ins?)?\]|\bminutes?\b", re.I), 60.0),
    (re.compile(r"\[h(?:rs?|ours?)?\]", re.I), 3600.0),
    (re.compile(r"\[d\]|\bdays?\b", re.I), DAY_S),
)
_LENGTH = re.compile(r"\b(?:mm|cm|m)\b|\bmillimet|\bcentimet|\bmet(?:er|re)|\binch", re.I)
_METRES_PER = {"mm": 1e-3, "millimet": 1e-3, "cm": 0.01, "centimet": 0.01, "m": 1.0}
_METRES_PER |= {"meter": 1.0, "metre": 1.0, "inch": 0.0254}
_PAIR = re.compile(r"\s*(\d{1,2})\s*[x*X,\s]\s*(\d{1,2})\s*")


def normalise(
    cards: Cards, *, path: str | Path, shape: tuple[int, int], settings: Settings | None = None
) -> tuple[Exposure, HeaderError | None]:
    """Normalise a header's cards; what is wrong with its times is handed back, not raised."""
    settings = settings or Settings()
    warnings: list[str] = []
    undated: HeaderError | None = None
    two: HeaderError | None = None
    try:
        cards, warnings = settle_dates(cards, settings.time.date_order, path)
    except HeaderError as doubt:
        undated = doubt
    cards = equipped(in_manner_of(cards, settings.camera.profile), settings.equipment)
    whole, plane = cards, plane_of(path)
    if plane is not None:
        cards = of_one(whole)
    lasting = _lasting(cards, settings.camera, shape)
    values, guessed = dict(lasting.values), lasting.guessed
    warnings += lasting.warnings
    values["temperature_c"] = _temperature(cards)
    values["kind"] = values["kind"] or _kind_by_name(Path(path), values)
    kind, given = (values["kind"] or (None,))[0], settings.time.exposure_s
    if given is not None and kind not in TIMELESS:
        values["exposure_s"] = given, "setting time.exposure_s"
    else:
        hours = settings.time.utc_offset_hours
        length, two = _exposure_time(cards, warnings, path, hours)
        values["exposure_s"] = _of_all(length, cards)
    error = undated or two or _set_time(values, cards, path, settings, warnings)
    if plane is not None and kind not in TIMELESS:
        error = _set_plane(values, whole, Path(path), plane, settings.time, error)
    said, doubtful = _set_places(values, cards, settings)
    guessed += ("ra_deg",) if doubtful else ()
    values["mosaic"] = lasting.mosaic
    guessed = _fill(values, cards, guessed, warnings, raw=not (lasting.done or lasting.stack))
    warnings += [*said, *lasting.treated]
    held = {name: value[0] for name, value in values.items() if value}
    sources = {name: value[1] for name, value in values.items() if value}
    uncertainty = held.pop("time_uncertainty_s", 0.0)
    exposure = Exposure(
        **held,
        time_uncertainty_s=uncertainty,
        shape=shape,
        sources=sources,
        warnings=tuple(warnings),
        guessed=guessed,
        overhead=read_overhead(cards),
        done=lasting.done,
        pedestal_adu=lasting.pedestal_adu,
    )
    return exposure, error


class _Lasting(NamedTuple):
    """What the headers of a night's frames mostly agree in."""

    values: Mapping[str, Value | None]  # with a place for the temperature, which changes
    guessed: tuple[str, ...]
    warnings: tuple[str, ...]
    mosaic: Value | None
    done: tuple[Step, ...]
    stack: str | None
    treated: tuple[str, ...]  # in words
    pedestal_adu: float


@by_cards
def _lasting(cards: Cards, camera: CameraSettings, shape: tuple[int, int]) -> _Lasting:
    """Read what has nothing to do with time, direction, and the weather."""
    warnings: list[str] = []
    values, guessed = _instrument(cards, camera, warnings)
    values["telescope_diameter_m"] = _diameter(cards, camera, warnings)
    values["kind"] = kind_by_keyword(cards)
    mosaic, of_mosaic = _mosaic(cards, shape, camera)
    done, source = read_state(cards)
    treated = (*of_mosaic, *_treated(done, source))
    return _Lasting(
        values, guessed, tuple(warnings), mosaic, done, is_stack(cards), treated,
        read_pedestal(cards),
    )  # fmt: skip


def _set_places(
    values: dict[str, Value | None], cards: Cards, settings: Settings
) -> tuple[list[str], bool]:
    """Settle direction, scale and site; what is odd of them, and whether the direction is a guess.

    The clock has to be settled: site and direction are held against it.
    """
    known = values.get("start_jd_utc") or values.get("mid_jd_utc")
    pointing, said = read_pointing(cards, known and known[0])
    ra_deg, dec_deg = (pointing.ra_deg, pointing.dec_deg) if pointing else (None, None)
    if pointing:
        values["ra_deg"], values["dec_deg"] = (ra_deg, pointing.source), (dec_deg, pointing.source)
    scale, more = read_scale(cards, (values["binning"] or (None,))[0])
    moment = Moment(known and known[0], ra_deg, dec_deg, _local_offset(cards))
    site, about_site = read_site(cards, moment, settings.site)
    values["scale_arcsec"], values["site"] = scale, site
    return [*said, *more, *about_site], bool(pointing and pointing.doubtful)


def warn_of_no_time(exposure: Exposure, error: HeaderError | None) -> Exposure:
    """Add what is wrong with its times to an exposure's warnings, where its kind needs a time."""
    if error is None or exposure.kind in TIMELESS:
        return exposure
    return replace(exposure, warnings=(*exposure.warnings, f"no time: {error.reason}"))


def _instrument(
    cards: Cards, camera: CameraSettings, warnings: list[str]
) -> tuple[dict[str, Value | None], tuple[str, ...]]:
    """Values of camera and telescope, and the names of those whose unit is a guess."""
    gain, guessed = _gain(cards)
    if camera.gain_e_per_adu is not None:
        gain, guessed = (camera.gain_e_per_adu, "setting camera.gain_e_per_adu"), False
    unit = read_unit(cards)
    if unit.electrons and camera.gain_e_per_adu is None:
        gain, guessed = (1.0, f"{unit.source} = {unit.text}: electrons, counted"), False
    noise = _read_noise(cards, gain)
    if camera.read_noise_e is not None:
        noise = camera.read_noise_e, "setting camera.read_noise_e"
    linearity = _positive(cards, "linearity")
    if camera.linearity_adu is not None:
        linearity = camera.linearity_adu, "setting camera.linearity_adu"
    saturation = _positive(cards, "saturation")
    if camera.saturation_adu is not None:
        saturation = camera.saturation_adu, "setting camera.saturation_adu"
    band, two_bands = _filter(cards)
    warnings += [f"{two_bands}; `lightcurve header set` settles it"] if two_bands else []
    values: dict[str, Value | None] = {
        "gain_e_per_adu": gain,
        "read_noise_e": noise,
        "saturation_adu": saturation,
        "linearity_adu": linearity,
        "linearity_terms": _setting(camera.linearity_terms, "camera.linearity_terms"),
        "filter": band,
        "binning": _binning(cards),
        "temperature_c": None,
    }
    for name in ("camera", "telescope", "object_name"):
        found = find(cards, name)
        values[name] = (found.text[:80], found.source) if found else None
    for name in ("gain_setting", "offset_setting", "readout_mode", "serial"):
        values[name] = _camera_setting(cards, name)
    values["gain_setting"] = values["gain_setting"] or _camera_setting(cards, "gain")
    return values, ("gain_e_per_adu",) if guessed else ()


def _camera_setting(cards: Cards, quantity: str) -> Value | None:
    """Read a setting as it stands, a number without needless digits.

    Offsets of a camera are whole and not negative: others are of the pointing.
    """
    found = find(cards, quantity)
    if found is None:
        return None
    value = number(found.text)
    if quantity == "offset_setting" and (value is None or value < 0 or value % 1):
        return None
    return found.text[:40] if value is None else f"{value:g}", found.source


def _setting(value: Any, name: str) -> Value | None:
    return None if value is None else (value, f"setting {name}")


def _mosaic(
    cards: Cards, shape: tuple[int, int], camera: CameraSettings
) -> tuple[Value | None, tuple[str, ...]]:
    """Colours of the first 2 x 2 pixels of a mosaic, as the settings or the header have them.

    The header's pattern outlives the mosaic: what is stacked, or has its colours on an axis, has
    none any more.
    """
    if camera.mosaic is None and (is_stack(cards) or has_colours(cards)):
        return None, ()
    own = cards.camera.camera.mosaic if cards.camera else None
    if camera.mosaic is None and cards.camera and own and find(cards, "mosaic") is None:
        return None if own == "none" else (own, cards.camera.source_of("mosaic")), ()
    if camera.mosaic is None:
        return read_mosaic(cards, shape[0])
    return None if camera.mosaic == "none" else (camera.mosaic, "setting camera.mosaic"), ()


# In ADU as they come from the camera.
OF_RAW_PIXELS = frozenset({"saturation_adu", "linearity_adu", "linearity_terms"})
FILLED = (
    "gain_e_per_adu",
    "read_noise_e",
    "saturation_adu",
    "linearity_adu",
    "linearity_terms",
    "telescope_diameter_m",
    "filter",
    "standards",
)


def _fill(
    values: dict[str, Value | None],
    cards: Cards,
    guessed: tuple[str, ...],
    warnings: list[str],
    *,
    raw: bool,
) -> tuple[str, ...]:
    """Add what the camera's profile says and the header does not; return what is still a guess.

    raw : whether the pixels are as they came from the camera.
    """
    profile = cards.camera
    if profile is None:
        return guessed
    if profile.name:
        values["profile"] = profile.name, cards.called_by
    warnings += [
        f"{key} is not heeded: {why} ({profile.source})"
        for key, why in profile.wrong.items()
        if key in cards
    ]
    for name in FILLED:
        own = getattr(profile.camera, name)
        open_ = values.get(name) is None or name in guessed
        if own is not None and open_ and (raw or name not in OF_RAW_PIXELS):
            values[name] = own, profile.source_of(name)
            guessed = tuple(one for one in guessed if one != name)
    gain, bits = values["gain_e_per_adu"], profile.camera.adc_bits
    if bits is not None and bits < STORED_BITS and gain and gain[1].startswith("header"):
        stored = f"{gain[0] / 2 ** (STORED_BITS - bits):.4g} where they are stored as {STORED_BITS}"
        text = (
            f"{gain[1].removeprefix('header ')} = {gain[0]:.4g} e-/ADU is of {bits} bits: {stored}"
        )
        warnings.append(f"{text} ({profile.source}); --gain settles it")
        guessed = tuple(dict.fromkeys((*guessed, "gain_e_per_adu")))
    return guessed


def _positive(cards: Cards, quantity: str) -> Value | None:
    for found in find_all(cards, quantity):
        value = number(found.text)
        if value is not None and 0 < value < LARGEST:
            return value, found.source
    return None


def _exposure_time(
    cards: Cards, warnings: list[str], path: str | Path, offset_hours: float | None
) -> tuple[Value | None, HeaderError | None]:
    """Seconds, and what is wrong where two keywords put the middle far apart and nothing tells."""
    none, read, odd = _lengths(cards)
    warnings += odd
    if not read:
        return none, None
    value, best = read[0]
    if none:
        told = f"{none[1].removeprefix('header ')} = 0, {best.keyword} = {value:g} s taken"
        warnings.append(f"{told}; --exposure settles it")
    value, best = next((o for o in read if _is_thousandth(o[0], value)), (value, best))
    other = next((o for o in read[1:] if not _same_length(value, o[0])), None)
    if other is None or is_stack(cards) or plane_of(path) is not None:  # of one, and of all
        return (value, best.source), None
    span = combined_span_s(cards, offset_hours)
    text = f"{best.keyword} = {value:g} s, but {other[1].keyword} = {other[0]:g} s"
    fits = [one for one in (read[0], other) if span is not None and _is_open_for(span, one[0])]
    if len(fits) == 1:
        value, best = fits[0]
        warnings.append(f"{text}: {value:g} s taken, by start and end; --exposure settles it")
    elif abs(value - other[0]) / 2 > REMARK_S:
        return (value, best.source), HeaderError(path, best.keyword, f"{text}: give --exposure")
    else:
        warnings.append(f"{text}: {value:g} s taken; --exposure settles it")
    return (value, best.source), None


@by_cards
def _lengths(
    cards: Cards,
) -> tuple[Value | None, tuple[tuple[float, Found], ...], tuple[str, ...]]:
    """Find the first exposure of 0 s, all that are longer, s, best source first, and remarks."""
    none: Value | None = None
    read: list[tuple[float, Found]] = []
    odd: list[str] = []
    for found in find_all(cards, "exposure"):
        value = number(found.text)
        if value == 0:
            none = none or (value, found.source)  # another keyword may know better
        elif value is not None and 0 < value <= LONGEST_MS:
            value *= next((s for unit, s in _UNITS_S if unit.search(found.said)), 1.0)
            if value <= LONGEST_S:
                read.append((value, found))
                continue
        if value != 0:
            odd.append(f"{found.keyword} = {found.text[:30]!r} is no exposure time; passed over")
    return none, tuple(read), tuple(odd)


def _same_length(one: float, other: float) -> bool:
    """Tell two exposures that are one: asked for and open, or one of them in milliseconds."""
    return abs(one - other) <= max(SHUTTER_S, 0.01 * one) or _is_thousandth(one, other)


def _is_thousandth(one: float, other: float) -> bool:
    return abs(1000 * one - other) <= 0.001 * other


def _is_open_for(span_s: float, exposure_s: float) -> bool:
    """Tell whether an exposure and its read-out fill the time from start to end."""
    return -CLOCK_SLACK_S <= span_s - exposure_s <= READOUT_S + READOUT_PART * exposure_s


def _of_all(exposure: Value | None, cards: Cards) -> Value | None:
    """Multiply an exposure by how many the camera added up, where that is its manner."""
    coadds = find(cards, "coadds")
    times = number(coadds.text) if coadds else None
    if exposure is None or coadds is None or not times or times <= 1:
        return exposure
    return exposure[0] * times, f"{exposure[1]} x {coadds.keyword}"


def _diameter(cards: Cards, camera: CameraSettings, warnings: list[str]) -> Value | None:
    """Metres. APTDIA is in mm by the SBIG and MaxIm DL convention, unless its comment says else."""
    if camera.telescope_diameter_m is not None:
        return camera.telescope_diameter_m, "setting camera.telescope_diameter_m"
    for found in find_all(cards, "telescope_diameter"):
        value = number(found.text)
        if not value:
            continue  # programs write 0 where nobody told them
        unit = _LENGTH.search(found.said)
        name, how = (unit[0], "by its comment") if unit else ("mm", "by the SBIG convention")
        metres = value * _METRES_PER[name.lower()]
        if SMALLEST_M <= metres <= LARGEST_M:
            return metres, f"{found.source} = {value:g} ({name} {how})"
        text = f"{found.keyword} = {value:g} is no diameter of a telescope in {name}"
        warnings.append(f"{text}; passed over, give --telescope-diameter")
    return next(filter(None, (_by_ratio(cards, f) for f in find_all(cards, "focal_ratio"))), None)


def _by_ratio(cards: Cards, found: Found) -> Value | None:
    """Metres, by the focal ratio and the focal length; APERTURE may be the diameter itself.

    A bare number is what gives a telescope that can be: 2 cm to 40 m, f/1.2 to f/30.
    """
    ratio = re.fullmatch(r"\s*f\s*/?\s*([\d.]+)\s*", found.text, re.I)
    value = number(ratio[1] if ratio else found.text)
    focal = focal_length_mm(cards)
    if not value or value <= 0:
        return None
    unit = _LENGTH.search(found.said) if found.keyword == "APERTURE" else None
    if unit and not ratio:
        metres = value * _METRES_PER[unit[0].lower()]
        source = f"{found.source} = {value:g} ({unit[0]} by its comment)"
        return (metres, source) if SMALLEST_M <= metres <= LARGEST_M else None
    if focal is None:
        return None
    read = [(focal / value / 1000, f"header FOCALLEN / {found.keyword} = {value:g} (focal ratio)")]
    if found.keyword == "APERTURE" and not ratio:
        read += [
            (value * metres, f"{found.source} = {value:g} ({name})")
            for name, metres in (("mm", 0.001), ("m", 1.0))
        ]
    can_be = [
        one
        for one in read
        if SMALLEST_M <= one[0] <= LARGEST_M and FASTEST <= focal / 1000 / one[0] <= SLOWEST
    ]
    return can_be[0] if len(can_be) == 1 else None


def _kind_by_name(path: PurePath, values: dict[str, Value | None]) -> Value | None:
    object_name = values.get("object_name")
    return kind_by_name(path, object_name[0] if object_name else None)


def _set_time(
    values: dict[str, Value | None],
    cards: Cards,
    path: str | Path,
    settings: Settings,
    warnings: list[str],
) -> HeaderError | None:
    exposure_s = (values.get("exposure_s") or (None,))[0]
    span, open_s = exposure_s, 0.0
    if settings.time.exposure_s is None:
        span, open_s = _combined_span(cards, exposure_s, settings, warnings)
    try:
        reading = audit_clocks(cards, span, path, settings.time)
    except HeaderError as error:
        return error
    source, late = reading.source, cards.camera.camera.shutter_delay_s if cards.camera else 0.0
    if cards.camera and late:
        source += f", {late:+g} s until the shutter opens ({cards.camera.source})"
    if reading.start_jd_utc is not None:
        values["start_jd_utc"] = reading.start_jd_utc + late / DAY_S, source
    values["mid_jd_utc"] = reading.mid_jd_utc + late / DAY_S, f"{source}, middle of the exposure"
    values["time_uncertainty_s"] = reading.uncertainty_s + open_s, reading.source
    warnings += reading.warnings
    return None


def _set_plane(
    values: dict[str, Value | None],
    cards: Cards,
    path: Path,
    plane: int,
    settings: TimeSettings,
    error: HeaderError | None,
) -> HeaderError | None:
    """Move the time of a cube's first plane on to that of another, or take it from a table.

    error: what is wrong with the time of the first; returns what is wrong with this one's.
    """
    length = values.get("exposure_s")
    table = None if settings.cadence_s else table_starts(path, count_planes(cards))
    if table is not None:
        starts, unit_s, source = table
        late = (length[0] if length else 0.0) / 2 + settings.clock_correction_s
        values["start_jd_utc"] = starts[plane] + settings.clock_correction_s / DAY_S, source
        values["mid_jd_utc"] = starts[plane] + late / DAY_S, f"{source}, middle of the exposure"
        values["time_uncertainty_s"] = unit_s / 2, source
        return None
    if error is not None:
        return error
    try:
        cadence, exposure_s, source = settle_cadence(
            cards, length and length[0], path, settings.cadence_s
        )
    except HeaderError as undecided:
        return undecided
    middle = values["mid_jd_utc"]
    if length and middle and exposure_s != length[0]:
        values["exposure_s"] = exposure_s, f"{length[1]}, of one of all planes"
        later = (exposure_s or 0.0) / 2 - length[0] / 2
        values["mid_jd_utc"] = middle[0] + later / DAY_S, middle[1]
    for name in ("start_jd_utc", "mid_jd_utc"):
        stated = values.get(name)
        if stated:
            text = f"{stated[1]}, {plane} x {cadence:g} s ({source}) later"
            values[name] = stated[0] + plane * cadence / DAY_S, text
    return None


def _combined_span(
    cards: Cards, exposure_s: float | None, settings: Settings, warnings: list[str]
) -> tuple[float | None, float]:
    """Seconds from the start to the end of a frame, and how far its middle is open beside that.

    Of a combined frame they are not the exposure: the pauses belong to it as well.
    """
    stack = is_stack(cards)
    if not stack:
        return exposure_s, 0.0
    span = combined_span_s(cards, settings.time.utc_offset_hours)
    total = _positive(cards, "total_exposure")
    if span is not None and span > (exposure_s or 0.0):
        warnings.append(f"{stack}: a combined frame of {span:g} s from start to end")
        return span, 0.0
    if total and total[0] > (exposure_s or 0.0):
        text = f"{stack}: a combined frame of {total[0]:g} s ({total[1]}) without its pauses"
        warnings.append(f"{text}: its middle may be as much as {total[0] / 2:g} s later")
        return total[0], total[0] / 2
    warnings.append(f"{stack}: a combined frame, its middle time is that of one exposure")
    return exposure_s, 0.0


def _local_offset(cards: Cards) -> float | None:
    """Hours by which a clock with an offset of its own, or a local one, is ahead of UTC."""
    for keyword in CLOCKS.with_offset:
        read = parse_calendar(cards[keyword].text) if keyword in cards else None
        if read and read.offset_hours:
            return read.offset_hours
    named = next((keyword for keyword in CLOCKS.local if keyword in cards), None)
    if named is None:
        return None
    clocks = {clock.keyword: clock for clock in read_clocks(cards)[0]}
    local, utc = clocks.get(named), clocks.get("DATE-OBS")
    if local is None or utc is None or utc.scale is Scale.LOCAL:
        return None
    quarters = round((local.jd - utc.jd) * 96)
    apart = abs(local.jd - utc.jd - quarters / 96) * DAY_S
    return quarters / 4 if quarters and abs(quarters) <= 56 and apart < 5 else None


def _gain(cards: Cards) -> tuple[Value | None, bool]:
    """Electrons per ADU, and whether its unit is a guess: GAIN may be an amplifier's setting."""
    told = cards.camera is not None and "gain" in cards.camera.keywords
    for found in find_all(cards, "gain"):
        value = number(found.text)
        if value is None or not LEAST_GAIN <= value <= MOST_GAIN:
            continue
        unit = found.said
        if _PER_E.search(unit) and not _PER_ADU.search(unit):
            source = f"{found.source} (inverted: ADU per electron by its unit)"
            return (1 / value, source), False
        if told or found.keyword != "GAIN" or _PER_ADU.search(unit):
            return (value, found.source), False
        # Settings of amplifiers are whole numbers mostly, and no program that writes them knows the
        # read noise; the noise of frames tells of the others.
        if value < 20 and (value != round(value) or find(cards, "read_noise") is not None):
            return (value, f"{found.source} (no unit: electrons per ADU assumed)"), True
    return None, False


def _read_noise(cards: Cards, gain: Value | None) -> Value | None:
    for found in find_all(cards, "read_noise"):
        value = number(found.text)
        if value is None or value < 0 or value > 10000:
            continue
        if not _IN_ADU.search(found.said):
            return value, found.source
        if gain:
            return value * gain[0], f"{found.source} (ADU by its comment) x gain"
    return None


def _filter(cards: Cards) -> tuple[Value | None, str]:
    """Name the filter; and two that are not one, each a known band."""
    found = [f for f in find_all(cards, "filter") if not re.fullmatch(r"[\d.,\s-]+", f.text)]
    names = [(filter_name(cards, f.text), f) for f in found]
    # In two wheels the one that is not open counts.
    best = next((entry for entry in names if entry[0] != "CV"), names[0] if names else None)
    if best is None:
        return None, ""
    other = next((o for o in names if {o[0], best[0]} <= BANDS and o[0] != best[0]), None)
    text = f"{best[1].keyword} = {best[1].text[:30]}"
    more = other and f"{text}, but {other[1].keyword} = {other[1].text[:30]}: {best[0]} taken"
    return (best[0], f"{best[1].source} = {best[1].text[:30]}"), more or ""


def _binning(cards: Cards) -> Value | None:
    axes = find(cards, "binning_x"), find(cards, "binning_y")
    x, y = (number(found.text) if found else None for found in axes)
    steps = _steps(x or y, y or x)
    if steps:
        return steps, f"header {', '.join(found.keyword for found in axes if found)}"
    both = find(cards, "binning")
    if both is None:
        return None
    pair = _PAIR.fullmatch(both.text[:20])
    one = number(both.text)
    steps = _steps(int(pair[1]), int(pair[2])) if pair else _steps(one, one)
    return (steps, both.source) if steps else None


def _steps(x: float | None, y: float | None) -> tuple[int, int] | None:
    """Binning in x and y, if these can be one."""
    if not x or not y or not all(1 <= step <= 64 and step == int(step) for step in (x, y)):
        return None
    return int(x), int(y)


def _temperature(cards: Cards) -> Value | None:
    for found in find_all(cards, "temperature"):
        value = number(found.text)
        kelvin = bool(_KELVIN.search(found.said)) or (value is not None and value > 150)
        if value is None or (kelvin and value <= 0):
            continue
        celsius = value - KELVIN if kelvin else value
        if -200 <= celsius <= 80:
            note = " (Kelvin)" if kelvin else ""
            note += " (the set point)" if found.keyword in KEYWORDS.set_points else ""
            return round(celsius, 6), found.source + note
    return None


def _treated(done: tuple[Step, ...], source: str) -> list[str]:
    """Say when a frame is not raw."""
    if not done:
        return []
    steps = ", ".join(done)
    return [f"{source}: the frame has been calibrated before ({steps}), not done again"]
