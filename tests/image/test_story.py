"""The single-image story: a frame rendered from the real EY UMa catalogue, and a real frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lightcurve.core.flags import Flag
from lightcurve.core.progress import Clock
from lightcurve.core.settings import Settings, make_settings
from lightcurve.image.locate import positions
from lightcurve.image.reduced import Reduced, summarise
from lightcurve.image.story import measure_image
from sim_image import (
    Observatory,
    Rendered,
    enclosed_share,
    ey_uma_frame,
    magnitude_of_snr,
    offline,
    render_frame,
)

SITE = Observatory(shape=(830, 830), scale=1.5)


@dataclass(frozen=True)
class Case:
    """A rendered frame, what came of it, and which source is which star (-1: none)."""

    truth: Rendered
    reduced: Reduced
    source: np.ndarray
    isolated: np.ndarray
    snr: np.ndarray


def matched(truth: Rendered, reduced: Reduced) -> Case:
    from scipy.spatial import cKDTree

    xy = np.column_stack([truth.x, truth.y])
    x, y, _ = positions(reduced.sources)
    distance, source = cKDTree(np.column_stack([x, y])).query(xy)
    apart = cKDTree(xy).query(xy, k=2)[0][:, 1]
    apertures = reduced.sources.apertures
    radius = apertures.radii[apertures.main]
    light = truth.flux * enclosed_share(truth.site, radius)
    area = np.pi * radius**2
    site = truth.site
    sky = (site.sky * site.exposure + site.read_noise**2) / site.gain**2
    snr = light / np.sqrt(area * sky + light / site.gain)
    isolated = (apart > 5 * site.fwhm) & truth.on_frame(15)
    return Case(truth, reduced, np.where(distance < 2, source, -1), isolated, snr)


@pytest.fixture(scope="module")
def catalog(shared_data: Path) -> Path:
    return shared_data / "ey-uma" / "all_refcat2_ey_uma.ecsv"


@pytest.fixture(scope="module")
def cases(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """The same field with three draws of the noise."""
    folder = tmp_path_factory.mktemp("ey")
    found = []
    for seed in (1, 2, 3):
        truth = ey_uma_frame(folder / f"ey{seed}.fits", catalog, SITE, seed=seed)
        found.append(
            matched(truth, measure_image(truth.path, offline(catalog, injected=1200), Clock()))
        )
    return found


def of_hatp32(shared_data: Path, **image: object) -> Settings:
    return make_settings(
        {
            "catalogs": {"files": [str(shared_data / "tycho2-hatp32.fits")], "offline": True},
            "solve": {"index": [str(shared_data / "index-tycho2-hatp32.fits")]},
            "target": {"ra": "02:04:10.278", "dec": "+46:41:16.21"},
            "image": {"injected": 0, **image},
        }
    )


@pytest.fixture(scope="module")
def real(hatp32: list[Path], shared_data: Path) -> list[Reduced]:
    """The first frame, a sharp one and the one after it: one field, by a real camera."""
    settings = of_hatp32(shared_data)
    names = ("220013343", "220050912", "220051212")
    paths = [next(p for p in hatp32 if name in p.name) for name in names]
    return [measure_image(path, settings, Clock()) for path in paths]


@pytest.fixture(scope="module")
def without_psf(hatp32: list[Path], shared_data: Path) -> Reduced:
    """The first of `real` by apertures alone."""
    return measure_image(hatp32[0], of_hatp32(shared_data, psf="none"), Clock())


@pytest.fixture(scope="module")
def case(cases: list[Case]) -> Case:
    return cases[0]


def good(case: Case) -> np.ndarray:
    """Isolated, found, unsaturated stars above 10 sigma."""
    flags = case.reduced.sources.flags[case.source]
    return case.isolated & (case.snr > 10) & (case.source >= 0) & ((flags & Flag.SATURATED) == 0)


def test_isolated_stars_above_ten_sigma_are_found(cases: list[Case]) -> None:
    for case in cases:
        wanted = case.isolated & (case.snr > 10)
        assert wanted.sum() > 100
        assert (case.source[wanted] < 0).sum() <= 2


def test_few_sources_are_none(case: Case) -> None:
    from scipy.spatial import cKDTree

    x, y, _ = positions(case.reduced.sources)
    tree = cKDTree(np.column_stack([case.truth.x, case.truth.y]))
    assert (tree.query(np.column_stack([x, y]))[0] > 3).sum() <= 3


def test_places_are_right_to_a_tenth_of_a_pixel(case: Case) -> None:
    chosen = good(case)
    rows = case.source[chosen]
    placed, truth = case.reduced.placed, case.truth
    d_ra = (placed.ra_deg[rows] - truth.ra[chosen]) * np.cos(np.radians(truth.dec[chosen]))
    d_dec = placed.dec_deg[rows] - truth.dec[chosen]
    for offset in (d_ra, d_dec):
        assert np.sqrt(np.mean(offset**2)) * 3600 / truth.site.scale < 0.1
    assert placed.solution.rms_arcsec / placed.solution.scale_arcsec < 0.1


def test_zero_points_are_right_to_a_hundredth(case: Case) -> None:
    site, apertures = case.truth.site, case.reduced.sources.apertures
    for kind, radius in zip(case.reduced.calibrated.kinds, [*apertures.radii, None], strict=True):
        share = 1.0 if radius is None else enclosed_share(site, radius)
        true = site.zero_point_adu + 2.5 * np.log10(share)
        assert kind.zero_point is not None
        assert kind.zero_point.value == pytest.approx(true, abs=0.01)
        assert kind.zero_point.n_used > 80


def test_magnitudes_have_honest_errors_in_apertures_and_by_the_psf(cases: list[Case]) -> None:
    for which in ("aperture", "psf"):
        pulls = []
        for case in cases:
            chosen = good(case)
            rows, kind = case.source[chosen], getattr(case.reduced.calibrated, which)
            pulls.append((kind.mag[rows] - case.truth.mag[chosen]) / kind.err[rows])
        pull = np.concatenate(pulls)
        pull = pull[np.isfinite(pull)]
        assert len(pull) > 280
        assert 0.9 < np.std(pull) < 1.2
        assert abs(np.mean(pull)) < 0.3


def test_the_measured_limit_is_where_stars_put_in_have_that_ratio(case: Case) -> None:
    calibrated = case.reduced.calibrated
    limits = {one.snr: one.measured for one in calibrated.limits.limits}
    found = calibrated.completeness
    assert found is not None
    assert len(found.mag) >= 1000
    assert magnitude_of_snr(found, 5.0) == pytest.approx(limits[5.0], abs=0.1)
    mag, share, _ = found.curve()
    assert share[mag < limits[10.0]].min() > 0.9
    assert share[-1] < 0.2
    assert limits[10.0] < found.magnitude_at(0.5) < limits[3.0] + 0.3


def test_pairs_are_told_apart_better_by_the_psf(catalog: Path, tmp_path: Path) -> None:
    site = Observatory(shape=(700, 700))
    rng = np.random.default_rng(3)
    gx, gy = np.meshgrid(np.arange(-310, 320, 36), np.arange(-310, 320, 36))
    n = gx.size
    paired = np.arange(n) % 3 == 0
    angle, apart = rng.uniform(0, 2 * np.pi, n), rng.uniform(1.2, 1.9, n) * site.fwhm
    east, north = gx.ravel() + rng.uniform(-3, 3, n), gy.ravel() + rng.uniform(-3, 3, n)
    east = np.append(east, (east + apart * np.cos(angle))[paired]) * site.scale / 3600
    north = np.append(north, (north + apart * np.sin(angle))[paired]) * site.scale / 3600
    dec = 20.0 + north
    ra = 100.0 + east / np.cos(np.radians(dec))
    mag = rng.uniform(14, 17, n)
    mag = np.append(mag, mag[paired] + rng.uniform(0, 1.5, paired.sum()))
    truth = render_frame(tmp_path / "pairs.fits", ra, dec, mag, site, center=(100.0, 20.0))
    stars = tmp_path / "stars.csv"
    lines = [f"{r:.8f},{d:.8f},{m:.4f}" for r, d, m in zip(ra, dec, mag, strict=True)]
    stars.write_text("\n".join(["ra,dec,rmag", *lines]) + "\n")
    reduced = measure_image(truth.path, offline(stars, injected=0), Clock())
    case = matched(truth, reduced)
    close = np.concatenate([np.flatnonzero(paired), np.arange(n, len(mag))])
    close = close[truth.on_frame(15)[close]]
    assert (case.source[close] >= 0).mean() > 0.95
    close = close[case.source[close] >= 0]
    rows = case.source[close]
    off = {
        kind.name: np.abs(kind.mag[rows] - mag[close])
        for kind in (reduced.calibrated.aperture, reduced.calibrated.psf)
    }
    medians = [float(np.nanmedian(values)) for values in off.values()]
    assert medians[1] < 0.02
    assert medians[1] < 0.2 * medians[0]
    crowded = (reduced.sources.flags & Flag.CROWDED) != 0
    alone = case.source[np.flatnonzero(~paired)]
    assert crowded[rows].mean() > 0.95
    assert crowded[alone[alone >= 0]].mean() < 0.05


def seen_again(one: Reduced, other: Reduced) -> tuple[np.ndarray, np.ndarray]:
    """Which of one frame's sources the other has within a pixel, and which lie on that frame.

    Registered by a quadratic in x and y through the stars that the search found on both.
    """
    from scipy.spatial import cKDTree

    there = np.column_stack([other.sources.psf_phot.x, other.sources.psf_phot.y])
    sky = one.placed.solution.wcs.all_pix2world(
        one.sources.psf_phot.x, one.sources.psf_phot.y, 0
    )  # fmt: skip
    x, y = other.placed.solution.wcs.all_world2pix(*sky, 0)
    tree, place = cKDTree(there), np.column_stack([x, y])
    terms = np.column_stack([np.ones(len(x)), x, y, x * x, x * y, y * y])
    for _ in range(3):
        away, row = tree.query(place)
        use = (one.sources.found_by == "search") & (one.sources.snr > 10) & (away < 1.5)
        place = terms @ np.linalg.lstsq(terms[use], there[row[use]], rcond=None)[0]
    ny, nx = other.prepared.frame.pixels.shape
    inside = (place > 5).all(axis=1) & (place < [nx - 6, ny - 6]).all(axis=1)
    return tree.query(place)[0] < 1, inside


def test_what_only_the_residual_shows_is_seen_on_another_frame(real: list[Reduced]) -> None:
    first, sharp, following = real
    for one, other, least in ((first, sharp, 15), (sharp, following, 60)):
        again, inside = seen_again(one, other)
        found = (one.sources.found_by == "residual") & (one.sources.snr > 10) & inside
        assert found.sum() >= least
        assert again[found].mean() > 0.8


def test_no_single_star_is_split_and_none_unsure_is_good(real: list[Reduced]) -> None:
    from scipy.spatial import cKDTree

    for reduced in real:
        sources, fit = reduced.sources, reduced.sources.psf_phot
        late = sources.found_by == "residual"
        xy = np.column_stack([fit.x, fit.y])
        apart = cKDTree(xy).query(xy, k=2)[0][:, 1]
        assert apart[late].min() > 0.9 * sources.psf.fwhm
        unsure = (sources.flags & Flag.UNSURE) != 0
        assert unsure.any()
        assert not unsure[~late].any()
        assert (np.asarray(reduced.table["quality"])[unsure] != "good").all()


def test_the_zero_point_of_an_aperture_does_not_depend_on_a_psf(
    real: list[Reduced], without_psf: Reduced
) -> None:
    pairs = zip(real[0].calibrated.kinds, without_psf.calibrated.kinds, strict=False)
    for with_psf, without in pairs:
        assert with_psf.zero_point.n_used == without.zero_point.n_used
        assert with_psf.zero_point.value == pytest.approx(without.zero_point.value, abs=1e-6)


def test_the_note_on_the_band_says_what_the_zero_point_is_tied_to(without_psf: Reduced) -> None:
    (note,) = (str(note) for note in without_psf.notes if str(note).startswith("filter CV"))
    assert "tied to VT (Tycho, Vega) of tycho2-hatp32.fits" in note
    assert summarise(without_psf)["standards"] == "tycho2-hatp32.fits"


def test_both_kinds_of_magnitude_agree_on_a_real_frame(real: list[Reduced]) -> None:
    for reduced in real:
        aperture, psf = reduced.calibrated.aperture, reduced.calibrated.psf
        chosen = (reduced.sources.flags == 0) & (reduced.sources.snr > 30)
        difference = (psf.mag - aperture.mag)[chosen]
        assert chosen.sum() > 100
        assert abs(float(np.nanmedian(difference))) < 0.005


def test_a_new_star_is_the_only_candidate(catalog: Path, tmp_path: Path) -> None:
    from astropy.table import Table

    truth = ey_uma_frame(tmp_path / "new.fits", catalog, SITE)
    table = Table.read(catalog)
    mag = np.asarray(table["rmag"], dtype=float)
    alone = np.flatnonzero((mag > 15) & (mag < 16.5) & truth.on_frame(60))
    xy = np.column_stack([truth.x, truth.y])
    apart = [np.sort(np.hypot(*(xy - xy[k]).T))[1] for k in alone]
    new = int(alone[int(np.argmax(apart))])
    table.remove_row(new)
    table.write(tmp_path / "without.ecsv")
    reduced = measure_image(truth.path, offline(tmp_path / "without.ecsv", injected=0), Clock())
    candidates = reduced.transients.candidates
    assert len(candidates) == 1
    row = candidates[0].row
    assert (
        np.hypot(
            reduced.sources.phot.x[row] - truth.x[new], reduced.sources.phot.y[row] - truth.y[new]
        )
        < 1
    )
    assert "no star there" in candidates[0].reason
    assert reduced.transients.vetoes["a catalogued star"] > 50


@pytest.mark.parametrize("name", ["first", "sharpest"])
def test_a_real_frame_has_its_stars_matched(
    real: list[Reduced], hatp32: list[Path], shared_data: Path, name: str
) -> None:
    reduced = real[0]
    if name == "sharpest":
        path = next(p for p in hatp32 if "220032112" in p.name)
        reduced = measure_image(path, of_hatp32(shared_data, psf="single"), Clock())
    solution = reduced.placed.solution
    assert solution.rms_arcsec / solution.scale_arcsec < 0.2
    assert reduced.calibrated.aperture.zero_point is not None
    clipped = (reduced.sources.flags & Flag.SATURATED) != 0
    assert clipped.sum() >= 10
    rows = reduced.calibrated.rows
    assert not clipped[rows[reduced.calibrated.serves]].any()
    assert len(rows) >= 30  # clipped stars are matched too
    assert clipped[rows].sum() >= 8
    _, _, error = positions(reduced.sources)
    assert error[clipped].min() > 0.45 * reduced.sources.widths.fwhm
    matched = int(solution.detail.rsplit("; ", 1)[1].split()[0])
    assert matched >= max(30, solution.n_matched)
