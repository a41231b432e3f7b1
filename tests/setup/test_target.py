"""Frames of another field, and a target that is nowhere near, are told before anything is lost."""

from __future__ import annotations

import logging

import pytest

from lightcurve.core.coordinates import degrees_apart
from lightcurve.core.data import Exposure, FrameResult, FrameStatus
from lightcurve.core.errors import InputError, Why
from lightcurve.core.settings import CatalogSettings, TargetSettings
from lightcurve.night.story import warn_of_lost
from lightcurve.setup.target import (
    Target,
    far_from_headers,
    find_target,
    known_place,
    refuse_another_field,
    warn_of_fields,
)


def frame(name: str | None, ra: float | None = None, dec: float | None = None) -> Exposure:
    return Exposure(object_name=name, ra_deg=ra, dec_deg=dec, shape=(500, 650), scale_arcsec=5.0)


def test_angles_on_the_sky() -> None:
    assert degrees_apart((10.0, 0.0), (10.0, 30.0)) == pytest.approx(30)
    assert degrees_apart((359.0, 0.0), (1.0, 0.0)) == pytest.approx(2)
    assert degrees_apart((0.0, 60.0), (180.0, 60.0)) == pytest.approx(60)
    assert degrees_apart((12.0, -90.0), (200.0, 90.0)) == pytest.approx(180)


def test_one_field_is_no_matter_for_words() -> None:
    assert warn_of_fields([frame("HAT-P-32", 31.3, 46.8), frame("hatp32 ", 31.4, 46.7)]) == ()
    assert warn_of_fields([frame(None), frame("M 31")]) == ()


def test_two_objects_and_two_fields_are_told() -> None:
    frames = [frame("HAT-P-32", 31.3, 46.8)] * 6 + [frame("M31", 10.7, 41.3)] * 3
    names, places = warn_of_fields(frames)
    assert names == "the headers name 2 objects: HAT-P-32 (6), M31 (3)"
    apart = degrees_apart((31.3, 46.8), (10.7, 41.3))
    assert places.startswith(f"3 of 9 headers point {apart:.3g} deg away from the others")


def test_a_target_far_from_all_headers_is_told() -> None:
    target = Target("X", 150.0, -20.0, "options --ra and --dec")
    text = far_from_headers([frame("HAT-P-32", 31.3, 46.8)] * 2, target, 5.0)
    assert text.startswith("the headers point to 31.30 +46.80 deg, the target is 1")
    assert "check --ra and --dec, or the folder" in text
    near = Target("X", 31.3, 46.8 + 5.2, "")  # half the field's diagonal is 0.57 deg
    assert far_from_headers([frame("HAT-P-32", 31.3, 46.8)], near, 5.0) == ""
    assert far_from_headers([frame(None)], target, 5.0) == ""
    assert far_from_headers([frame("A", 31.3, 46.8), frame("B", 150.0, -21.0)], target, 5.0) == ""


FAR = Target("WASP-12 b", 97.6, 29.7, "an archive")


@pytest.mark.parametrize(
    ("name", "n_wcs", "sure"),
    [
        ("HAT-P-32", 0, True),  # its known place is where the header points
        ("HAT-P-33", 0, False),  # that of another star is not
        (None, 0, False),
        (None, 5, True),
        (None, 1, False),
    ],
)
def test_only_what_is_certain_is_refused_at_once(name, n_wcs, sure) -> None:
    frames = [frame(name, 31.3, 46.8)] * 5
    elsewhere = far_from_headers(frames, FAR, 5.0)
    if not sure:
        refuse_another_field(frames, FAR, elsewhere, n_wcs=n_wcs)
        return
    with pytest.raises(InputError) as caught:
        refuse_another_field(frames, FAR, elsewhere, n_wcs=n_wcs)
    assert caught.value.why is Why.ELSEWHERE
    apart = degrees_apart((31.3, 46.8), (97.6, 29.7))
    assert all(word in str(caught.value) for word in ("31.30 +46.80", f"{apart:.3g} deg away"))


def test_a_pointing_that_is_some_degrees_off_is_not_refused() -> None:
    near = Target("X", 31.3, 51.0, "")
    frames = [frame("HAT-P-32", 31.3, 46.8)] * 5
    refuse_another_field(frames, near, far_from_headers(frames, near, 5.0), n_wcs=5)


def test_lost_frames_are_counted_by_their_most_frequent_reason(caplog) -> None:
    lost = [Why.TOO_FEW_STARS, Why.UNREADABLE, Why.TOO_FEW_STARS]
    results = [
        FrameResult(f"{k}.fits", FrameStatus.FAILED, f"reason {k}", why=why)
        for k, why in enumerate(lost)
    ]
    results[1:1] = [FrameResult("a.fits", FrameStatus.MEASURED)] * 2
    with caplog.at_level(logging.WARNING):
        warn_of_lost(results)
        warn_of_lost(results[1:3])
    assert caplog.messages == ["3 of 5 frames not measured: reason 0 (2), see frames.csv"]


@pytest.mark.parametrize("name", ["04:52:21.1,-69:18:26", "73.0879167, -69.3072222"])
def test_a_name_may_be_the_place(name: str) -> None:
    settings = TargetSettings(name=name)
    target = find_target(settings, CatalogSettings(offline=True))
    assert (target.ra_deg, target.dec_deg) == pytest.approx((73.0879167, -69.3072222))
    assert known_place(settings) == (target.ra_deg, target.dec_deg)
    assert target.source == "option --target"
