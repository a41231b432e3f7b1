"""What is called right is right: a short version of benchmarks/bench_astrometry.py."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.bench_astrometry import Case, draw_case, judge_case
from lightcurve.astrometry.overlay import affine, local_density, overlay
from lightcurve.astrometry.refine import refine_wcs
from lightcurve.core.data import Detections


@pytest.mark.parametrize(
    ("kind", "most_refused"), [("uniform", 0), ("clustered", 1), ("sparse", 3)]
)
def test_a_wcs_that_is_off_is_put_right_or_refused(kind: str, most_refused: int) -> None:
    verdicts = [judge_case(draw_case(kind, np.random.default_rng(k)))[0] for k in range(700, 710)]
    assert verdicts.count("wrong") == 0
    assert len(verdicts) - verdicts.count("right") <= most_refused


@pytest.mark.parametrize("kind", ["uniform", "clustered", "sparse"])
def test_stars_of_another_field_are_never_right(kind: str) -> None:
    for k in range(4):
        case = draw_case(kind, np.random.default_rng(k), strangers=True)
        assert judge_case(case)[0] in {"refused", "too few stars"}


def cluster(off_px: float, seed: int) -> Case:
    """A dense cluster on a thin field, and a WCS that is shifted so far."""
    rng = np.random.default_rng(seed)
    case = draw_case("clustered", rng, off=0.0)
    angle = rng.uniform(0, 2 * np.pi)
    case.wcs.wcs.crpix += off_px * np.array([np.cos(angle), np.sin(angle)])
    case.wcs.wcs.set()
    return case


@pytest.mark.parametrize("off_px", [3.0, 6.0, 10.0])
def test_chance_in_a_cluster_is_told_from_a_match(off_px: float) -> None:
    for seed in range(3):
        case = cluster(off_px, seed)
        found = refine_wcs(case.wcs, case.stars, case.shape, case.sky, ordered=case.ordered)
        assert found.check.passed
        assert found.off_px == pytest.approx(off_px, abs=0.5)
        assert case.error_px(found.wcs).max() < 2


def test_terms_are_as_many_as_the_stars_support_all_over_the_frame() -> None:
    rng = np.random.default_rng(4)
    shape = (1000, 1000)

    def bent(xy: np.ndarray) -> np.ndarray:
        far = (xy - 500) / 500
        return xy + 3 * far * (far**2).sum(axis=1, keepdims=True)

    everywhere = rng.uniform(0, 1000, (150, 2))
    found = overlay(everywhere, bent(everywhere) + rng.normal(0, 0.2, (150, 2)), shape)
    assert found.passed
    assert found.fit.order == 3
    # Of stars in one corner nobody knows how it goes on: no terms, and not to be believed.
    corner = rng.uniform(0, 330, (150, 2))
    found = overlay(corner, bent(corner) + rng.normal(0, 0.2, (150, 2)), shape)
    assert found.fit.order <= 2
    assert found.sure
    assert not found.passed


def test_a_quarter_that_does_not_match_is_no_solution() -> None:
    rng = np.random.default_rng(6)
    xy = rng.uniform(0, 1000, (240, 2))
    points = xy + rng.normal(0, 0.1, xy.shape)
    assert overlay(xy, points, (1000, 1000)).passed
    wrong = (xy > 500).all(axis=1)
    points[wrong] = rng.uniform(500, 1000, (int(wrong.sum()), 2))
    found = overlay(xy, points, (1000, 1000))
    assert found.fraction > 0.6
    assert found.missing[0]
    assert not found.passed


def test_a_deep_list_of_which_the_brightest_are_known_is_cut() -> None:
    case = draw_case("uniform", np.random.default_rng(9), off=20.0)
    rng = np.random.default_rng(1)
    nx = case.shape[1]
    more = rng.uniform(-0.2 * nx, 1.2 * nx, (60000, 2))
    sky = np.vstack([case.sky, case.wcs.wcs_pix2world(more, 0)])
    case = replace(case, sky=sky, ordered=True)
    verdict, found, _ = judge_case(case)
    assert verdict == "right"
    assert found.check.n_inside < 2.1 * len(case.stars)


def test_blurred_stars_are_held_to_what_they_can_tell() -> None:
    rng = np.random.default_rng(5)
    case = draw_case("uniform", rng, off=30.0)
    n, error_px = len(case.stars), 1.5
    blurred = replace(
        case.stars, x=case.stars.x + rng.normal(0, error_px, n),
        y=case.stars.y + rng.normal(0, error_px, n), fwhm=np.full(n, 16.0),
    )  # fmt: skip
    found = refine_wcs(case.wcs, blurred, case.shape, case.sky, ordered=case.ordered)
    assert found.check.passed
    assert found.check.rms_px == pytest.approx(error_px * np.sqrt(2), rel=0.15)
    assert case.error_px(found.wcs).max() < 3
    assert case.error_px(found.wcs).mean() < error_px


def test_the_density_is_that_of_the_surroundings() -> None:
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(2)
    crowd = rng.uniform(0, 100, (400, 2))
    field = rng.uniform(0, 1000, (400, 2))
    tree = cKDTree(np.vstack([crowd, field]))
    inside, outside = (
        local_density(rng.uniform(low, high, (200, 2)), tree, 0.0)
        for low, high in ((10, 90), (200, 950))
    )
    assert np.median(inside) == pytest.approx(0.04, rel=0.2)
    assert np.median(outside) == pytest.approx(0.0004, rel=0.3)


def test_a_transform_is_written_as_a_fit() -> None:
    matrix = np.array([[-0.9, 0.3, 400.0], [0.2, 1.1, -30.0]])
    xy = np.random.default_rng(1).uniform(0, 500, (20, 2))
    expected = xy @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(affine(matrix, (400, 500))(xy), expected, atol=1e-9)


def test_no_stars_are_no_trouble() -> None:
    case = draw_case("sparse", np.random.default_rng(1))
    none = np.zeros(0)
    empty = Detections(none, none, none, none, none, 0.0, 1.0)
    assert not refine_wcs(case.wcs, empty, case.shape, case.sky).check.possible
    assert not refine_wcs(case.wcs, case.stars, case.shape, case.sky[:0]).check.passed
