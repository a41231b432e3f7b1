"""The time audit: headers whose clocks agree, disagree, or do not say what they mean."""

from __future__ import annotations

import pytest
from astropy.io.fits import Header

from lightcurve.core.dates import jd_from_iso
from lightcurve.core.errors import HeaderError
from lightcurve.core.settings import TimeSettings, make_settings
from lightcurve.frames.cards import parse_cards
from lightcurve.frames.clocks import ClockReading, audit_clocks, combined_span_s
from lightcurve.frames.headers import normalise


def audit(cards: dict, exposure_s: float | None = 60.0, **settings: object) -> ClockReading:
    header = Header([(k, *(v if isinstance(v, tuple) else (v,))) for k, v in cards.items()])
    return audit_clocks(
        parse_cards(header.tostring(endcard=False, padding=False)),
        exposure_s,
        "x.fits",
        TimeSettings(**settings),
    )


def mid_text(reading: ClockReading, text: str) -> float:
    """Seconds from a calendar time."""
    return (reading.mid_jd_utc - jd_from_iso(text)) * 86400


DATE = "2020-03-01T02:03:04.500"
MID = "2020-03-01T02:03:34.500"


@pytest.mark.parametrize(
    "cards",
    [
        {"DATE-OBS": DATE},
        {"DATE-OBS": ("2020-02-29T19:03:04.500-0700", "start, LT")},
        {"DATE-OBS": "2020-03-01", "TIME-OBS": "02:03:04.5"},
        {"DATE-OBS": "2020-03-01", "UT": "02:03:04.50"},
        {"DATE-OBS": ("2020-02-29T19:03:04.500", "local time"), "UT-OBS": DATE},
        {"DATE-OBS": ("2020-02-29T19:03:04.5", "LT"), "DATE-AVG": MID, "TIMESYS": "UTC"},
        {"DATE-OBS": "2020-03-01T02:03:04", "MJD-OBS": 58909.08546875},
        {"MJD-OBS": 58909.08546875},
        {"JD": (2458909.58546875, "Julian Date at start of exposure")},
        {"DATE-OBS": (MID, "mid-exposure")},
        {"DATE-OBS": DATE, "DATE-END": "2020-03-01T02:04:07.1"},
        {"DATE-OBS": DATE, "JD": 2458909.586226},
        {"DATE-OBS": DATE, "DATE-LOC": "2020-02-29T19:03:04.500"},
        {"DATE-OBS": "2020-03-01T02:04:13.684", "TIMESYS": "TT"},
        {"DATE-OBS": DATE, "MJD-OBS": 58909.085},
        {"DATE-END": "2020-03-01T02:04:04.500"},
        {"DATE-OBS": ("2020-02-29T19:03:04.500", "local time"), "UT": DATE[11:]},
        {"DATE-OBS": "2020-02-29", "UT-DATE": "2020-03-01", "UT": DATE[11:]},
        {"DATE-BEG": DATE, "DATE-OBS": "0001-01-01T00:00:00"},
    ],
)
def test_middle_is_found(cards: dict) -> None:
    assert mid_text(audit(cards), MID) == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({}, "no time in the header"),
        ({"DATE-OBS": "2020-03-01"}, "no time in the header"),
        ({"DATE-OBS": "yesterday"}, "no time in the header .*is no time"),
        ({"DATE-OBS": ("2020-03-01T02:03:04", "local time")}, "--utc-offset"),
        # Is the date that of the local time or that of UT? They differ by a day.
        ({"DATE-OBS": "2020-02-29", "TIME-OBS": ("19:03:04", "LT"), "UT": DATE[11:]}, "--utc-off"),
        # Eleven hours behind UTC or thirteen ahead?
        ({"DATE-OBS": ("2020-02-29T15:03:04", "LT"), "UT": DATE[11:]}, "--utc-offset"),
        ({"DATE-LOC": "2020-03-01T02:03:04"}, "--utc-offset"),
        ({"DATE-OBS": DATE, "UT-OBS": "2020-03-01T09:03:04"}, "disagree by .*25200 s"),
        ({"DATE-OBS": DATE, "MJD-OBS": 58909.0861}, "DATE-OBS .*MJD-OBS"),
        ({"DATE-OBS": DATE, "DATE-AVG": DATE}, "--time-stamp"),
        ({"DATE-OBS": DATE, "DATE-END": "2020-03-01T02:03:04"}, "disagree"),
        ({"DATE-OBS": DATE, "TIME-OBS": "03:03:04"}, "disagree by 3600 s"),
    ],
)
def test_doubt_is_an_error(cards: dict, message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        audit(cards)


@pytest.mark.parametrize(
    "cards",
    [
        {"DATE-OBS": "2020/03/01 02:03:04.5"},
        {"DATE-OBS": "2020.03.01T02:03:04.5"},
        {"DATE-OBS": "2020 03 01 02 03 04.5"},
        {"DATE-OBS": "01.03.2020 02:03:04.5"},
        {"DATE-OBS": "01/03/20", "TIME-OBS": "02:03:04.5"},
        {"DATE-OBS": "2020/03/01", "UT": "02 03 04.5"},
        {"DATE-OBS": "2020-03-01", "UT": 2.0512500},
        {"DATE-OBS": "2020-03-01", "UT": "2,0512500"},
        {"DATE": "01/03/20", "TIME": "02:03:04.5"},
        {"DATE-OBS": ("2020-03-01T02:04:04.5", "System Clock:Frame Received")},
        {"DATE-OBS": ("2020-03-01T02:03:04.5", "System Clock:Est. Frame Start")},
        {"DATE-OBS": "2000-01-01T00:07:00", "DATE-BEG": DATE},
    ],
)
def test_old_forms_and_other_moments_are_read(cards: dict) -> None:
    assert mid_text(audit(cards), MID) == pytest.approx(0, abs=0.02)


FIRST_HALF = ({"DATE-OBS": "03/04/2020 02:03:04.5"}, {"DATE-OBS": "03-04-2020T02:03:04.5"})


def start_of(cards: dict[str, object], **settings: object) -> tuple[float | None, str]:
    """Start by a whole header, and what is wrong with its time."""
    header = Header([*cards.items(), ("EXPTIME", 60.0)])
    text = header.tostring(endcard=False, padding=False)
    made = make_settings({"time": settings})
    exposure, error = normalise(parse_cards(text), path="x.fits", shape=(9, 9), settings=made)
    return exposure.start_jd_utc, str(error or "") + "".join(exposure.warnings)


@pytest.mark.parametrize("cards", FIRST_HALF)
def test_day_or_month_first_is_asked_where_nothing_tells(cards: dict[str, object]) -> None:
    start, said = start_of(cards)
    assert start is None
    assert "2020-04-03 or 2020-03-04: give --date-order" in said
    for order, date in (("dmy", "2020-04-03"), ("mdy", "2020-03-04")):
        expected = jd_from_iso(f"{date}T02:03:04.500")
        assert start_of(cards, date_order=order)[0] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("date", ["2020-04-03", "2020-03-04"])
@pytest.mark.parametrize("cards", FIRST_HALF)
def test_another_date_of_the_header_tells(cards: dict[str, object], date: str) -> None:
    jd = jd_from_iso(f"{date}T02:03:04.500")
    for more in ({"DATE": f"{date}T11:00:00"}, {"MJD-OBS": jd - 2400000.5}):
        start, said = start_of({**cards, **more})
        assert start == pytest.approx(jd, abs=1e-8)
        assert not said


def test_two_digits_of_a_year_are_the_old_form_and_told() -> None:
    start, said = start_of({"DATE-OBS": "03/04/20", "TIME-OBS": "02:03:04.5"})
    assert start == pytest.approx(jd_from_iso("2020-04-03T02:03:04.500"), abs=1e-8)
    assert "--date-order" in said
    assert start_of({"DATE-OBS": "04/04/2020 02:03:04.5"})[1] == ""
    assert start_of({"DATE-OBS": "03.04.2020 02:03:04.5"})[1] == ""


def test_a_date_of_america_is_known_by_its_day() -> None:
    reading = audit({"DATE-OBS": "02/29/2020 02:03:04.5"})
    assert mid_text(reading, "2020-02-29T02:03:34.500") == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize(
    ("cards", "message"),
    [
        ({"DATE-OBS": "1970-01-01T00:12:31"}, "DATE-OBS = 1970.* never set .*--time-keyword"),
        ({"DATE-OBS": "1980-01-06T03:12:31"}, "never set"),
        ({"DATE-OBS": "1980-01-01T03:12:31"}, "never set"),
        ({"DATE-OBS": "2000-01-01T08:12:31"}, "never set"),
        ({"DATE-OBS": "2020-03-01"}, "DATE-OBS = '2020-03-01' has no time of day"),
        ({"DATE-OBS": "2020-03-01", "UT": "noon"}, "UT = 'noon' is no time of day|no time of day"),
        ({"DATE-OBS": "2020-13-41T02:03:04"}, "DATE-OBS = '2020-13-41T02:03:04' is no time"),
        ({"DATE": "2020-03-01T09:00:00", "TIME": "02:03:04"}, "no time in the header"),
    ],
)
def test_no_time_is_an_error_that_names_what_there_is(cards: dict, message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        audit(cards)


def test_a_true_date_of_a_day_from_which_systems_count_is_taken_when_named() -> None:
    reading = audit({"DATE-OBS": "2000-01-01T08:12:31"}, keyword="DATE-OBS")
    assert mid_text(reading, "2000-01-01T08:13:01") == pytest.approx(0, abs=1e-3)


def test_julian_date_alone_needs_its_stamp() -> None:
    with pytest.raises(HeaderError, match="--time-stamp"):
        audit({"JD": 2458909.58546875})
    reading = audit({"JD": 2458909.58546875}, stamp="mid")
    assert mid_text(reading, DATE) == pytest.approx(0, abs=1e-3)


def test_rounded_number_is_not_taken_for_precise() -> None:
    reading = audit({"DATE-OBS": "2020-03-01T02:03:04", "JD": 2458909.5854629628})
    assert reading.uncertainty_s == 0.5
    assert "DATE-OBS" in reading.source
    assert audit({"MJD-OBS": 58107.065}).uncertainty_s == pytest.approx(43.2)


def test_a_small_disagreement_is_a_remark() -> None:
    reading = audit({"DATE-OBS": DATE, "UT-OBS": "2020-03-01T02:03:00.1"})
    assert reading.warnings[0].startswith("the clocks disagree by")
    assert abs(mid_text(reading, MID)) < 5


def test_date_that_went_through_a_32_bit_float_is_known_as_coarse() -> None:
    reading = audit({"MJD-OBS": 55820.44140625})
    assert reading.uncertainty_s == pytest.approx(0.5 * 86400 / 256)
    both = audit({"DATE-OBS": "2011-09-16T10:33:45.368", "MJD-OBS": 55820.44140625})
    assert both.uncertainty_s == pytest.approx(5e-4)


@pytest.mark.parametrize(
    ("cards", "heeded"),
    [
        ({"DATE-OBS": DATE}, True),
        ({"DATE-OBS": ("2020-02-29T19:03:04.500", "local time"), "UT-OBS": DATE}, True),
        ({"DATE-OBS": f"{DATE}+0200"}, False),
        ({"DATE-OBS": f"{DATE}Z"}, False),
        ({"DATE-OBS": DATE, "TIMESYS": "UTC"}, False),
    ],
)
def test_an_offset_that_no_clock_takes_is_told(cards: dict, heeded: bool) -> None:
    told = audit(cards, utc_offset_hours=-7).warnings
    assert any("--utc-offset" in line for line in told) != heeded
    assert not any("--utc-offset" in line for line in audit(cards).warnings)


def test_settings_settle_it() -> None:
    cards = {"DATE-OBS": DATE, "UT-OBS": "2020-03-01T09:03:04.5"}
    assert mid_text(audit(cards, keyword="UT-OBS"), "2020-03-01T09:03:34.5") == pytest.approx(
        0, abs=1e-3
    )
    assert "disagree" in audit(cards, keyword="date-obs").warnings[0]
    assert mid_text(audit(cards, utc_offset_hours=-7), "2020-03-01T09:03:34.5") == pytest.approx(
        0, abs=1e-3
    )
    local = {"DATE-OBS": (DATE, "local time")}
    assert mid_text(audit(local, utc_offset_hours=2), "2020-03-01T00:03:34.5") == pytest.approx(
        0, abs=1e-3
    )
    night = {"DATE-OBS": "2020-02-29", "TIME-OBS": ("19:03:04.5", "LT"), "UT": DATE[11:]}
    assert mid_text(audit(night, utc_offset_hours=-7), MID) == pytest.approx(0, abs=1e-3)
    end = audit({"DATE-OBS": DATE}, stamp="end", clock_correction_s=1.5)
    assert mid_text(end, "2020-03-01T02:02:36") == pytest.approx(0, abs=1e-3)
    with pytest.raises(HeaderError, match="no such clock"):
        audit(cards, keyword="MJD-OBS")
    with pytest.raises(HeaderError, match="EXPTIME"):
        audit({"DATE-OBS": DATE}, exposure_s=None)


@pytest.mark.parametrize(
    ("start", "end", "span_s"),
    [("UTC", "UTC", 3600.0), ("local time", "local time", 3600.0), ("UTC", "local time", None)],
)
def test_a_span_is_told_by_two_clocks_of_one_scale(
    start: str, end: str, span_s: float | None
) -> None:
    header = Header()
    header["DATE-OBS"] = ("2024-03-01T20:00:00", start)
    header["DATE-END"] = ("2024-03-01T21:00:00", end)
    found = combined_span_s(parse_cards(header.tostring(endcard=False, padding=False)), None)
    assert found == pytest.approx(span_s, abs=1e-4) if span_s else found is None
