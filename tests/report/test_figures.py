"""Figures show the data they are given; no window, no global state, no pixel comparison."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.signal import convolve2d

from lightcurve.core.data import Finding, Parameter, Solution, TransitFit, Verdict
from lightcurve.core.errors import InputError
from lightcurve.core.quantities import night_panels
from lightcurve.core.settings import Settings
from lightcurve.curve.choose import choose_curve
from lightcurve.curve.form import star_curves
from lightcurve.night import figures
from lightcurve.phot.noise import NoiseModel
from lightcurve.report import field, light_curve, night, stars, style
from lightcurve.report import field as names
from lightcurve.report import fit as corner
from lightcurve.report import fit as residuals
from lightcurve.report import night as growth
from lightcurve.report import night as masters
from lightcurve.report.image_plots import save_magnitudes
from lightcurve.report.layout import WHOLE, wrapped
from lightcurve.report.style import robust_limits
from sim_cube import CubeTruth, simulate_cube

PNG = b"\x89PNG"


@pytest.fixture
def axes():
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.add_subplot()


@pytest.fixture(scope="module")
def cube():
    return simulate_cube(np.ones(60), CubeTruth(n_stars=14, drift_px=60), np.random.default_rng(1))


@pytest.fixture(scope="module")
def curve(cube):
    return choose_curve(cube, Settings())


def test_points_are_the_data_and_flagged_ones_apart(axes):
    time, flux = np.arange(20.0), np.ones(20)
    flux[4], flux[7] = 9.0, np.nan
    good = (np.arange(20) != 4) & np.isfinite(flux)
    drawn = light_curve.draw_points(axes, time, flux, np.full(20, 0.01), good=good)
    np.testing.assert_array_equal(drawn["points"].get_xdata(), time[good])
    assert drawn["flagged"][0].get_xdata() == [4]
    (beyond,) = drawn["beyond"]
    assert beyond.get_xdata() == [4]
    assert axes.get_ylim()[1] < 2, "a flagged point does not stretch the axis"


def test_events_outside_the_axis_are_not_drawn(axes):
    axes.set_xlim(0.2, 0.6)
    (line,) = light_curve.draw_events(axes, {"ingress": 0.1, "egress": 0.5})
    assert line.get_xdata()[0] == 0.5
    assert "egress" in line.get_label()
    assert "ingress" not in line.get_label()


@pytest.mark.parametrize("spread", [1e-2, 2e-4, 3e-5])
def test_labels_of_the_light_curve_are_whole(curve, tmp_path, spread, monkeypatch):
    made = []

    class Kept(Figure):
        def __init__(self, **options):
            super().__init__(**options)
            made.append(self)

    monkeypatch.setattr("matplotlib.figure.Figure", Kept)
    flat = replace(
        curve,
        flux=1 + spread * np.sin(np.arange(60)),
        flux_err=np.full(60, spread),
        comparison_flux=1e5 * (1 + spread * np.cos(np.arange(60))),
    )
    light_curve.save_light_curve(
        tmp_path / "x.png", flat, predicted={"ingress": curve.bjd_tdb[0] - 1, "egress": 0.0}
    )
    (figure,) = made
    for axes in figure.axes:
        for label in (axes.yaxis.label, axes.xaxis.label, *axes.texts):
            box = label.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= figure.bbox.x1
            assert box.y0 >= 0


def test_the_worst_seeing_is_marked_at_the_edge(axes):
    fwhm = 4 + 0.1 * np.sin(np.arange(300.0))
    fwhm[17], fwhm[40], fwhm[99] = 15.0, np.nan, 0.5
    points, above, below = night.draw_fwhm(axes, np.arange(300.0), fwhm)
    low, high = axes.get_ylim()
    assert high < 15
    assert (above.get_xdata(), above.get_ydata()) == ([17], [high])
    assert (below.get_xdata(), below.get_ydata()) == ([99], [low])
    assert points.get_xdata().size == 300


def test_a_cloud_beyond_the_axis_is_marked_at_its_edge(axes):
    flux = 5e4 + 100 * np.sin(np.arange(300.0))
    flux[60] = 2e4
    points, below = light_curve.draw_comparison(axes, np.arange(300.0), flux)
    assert (below.get_xdata(), below.get_ydata()) == ([60], [axes.get_ylim()[0]])
    assert points.get_ydata()[60] == pytest.approx(0.4, rel=0.01)


def test_bins_are_means_with_errors():
    x = np.array([0.0, 0.1, 0.2, 1.0, 1.1, 3.0, np.nan])
    y = np.array([1.0, 2.0, 3.0, 5.0, 7.0, 9.0, 1.0])
    mean_x, mean_y, error = style.bin_points(x, y, 1.0)
    np.testing.assert_allclose(mean_x, [0.1, 1.05, 3.0])
    np.testing.assert_allclose(mean_y, [2, 6, 9])
    np.testing.assert_allclose(error[:2], [1 / np.sqrt(3), 1.0])
    assert np.isnan(error[2])


def test_profile_of_a_gaussian_is_that_gaussian(axes):
    y, x = np.mgrid[:60, :60]
    sigma, centre = 3.0, (30.3, 28.6)
    distance = np.hypot(x - centre[0], y - centre[1])
    pixels = 100 + 5000 * np.exp(-0.5 * (distance / sigma) ** 2)
    profile = night.star_profile(pixels, centre, 100.0, 14.0, star_id="T1", fwhm=7.06)
    expected = np.exp(-0.5 * (profile.radius / sigma) ** 2)
    ratio = profile.value / expected
    assert np.ptp(ratio) < 1e-8, "each pixel stands at its own distance"
    assert profile.radius.max() <= 14
    assert profile.value.max() == 1, "the peak is the highest pixel"
    drawn = night.draw_profile(axes, [profile], 5.0, (8.0, 12.0))
    assert drawn["aperture"].get_xdata()[0] == 5.0
    assert drawn["curves"][0].get_xdata().size == profile.bin_radius.size


@pytest.mark.parametrize("centre", [(np.nan, 3.0), (-500.0, 3.0), (3.0, 900.0)])
def test_profile_of_a_star_elsewhere_is_empty(centre):
    profile = night.star_profile(np.ones((20, 20)), centre, 0.0, 6.0)
    assert profile.radius.size == profile.bin_value.size == 0


def test_growth_is_relative_to_the_largest_aperture(axes):
    flux = np.array([[1.0, 2, 4], [10, 30, 40]])
    drawn = growth.draw_growth(
        axes, np.array([1.0, 2, 3]), flux, roles=["target", "comparison"], radius=2.0
    )
    np.testing.assert_array_equal(drawn["curves"][-1].get_ydata(), [0.25, 0.5, 1])
    np.testing.assert_array_equal(drawn["curves"][0].get_ydata(), [0.25, 0.75, 1])


def test_growth_of_a_single_radius_comes_from_the_reference_frame():
    """A Gaussian holds 1 - exp(-r^2 / 2 sigma^2) of its light within r."""
    y, x = np.mgrid[:90, :120]
    pixels = np.full(x.shape, 100, dtype=np.float32)
    for x0, y0, peak in ((40.3, 41.6, 3e4), (81.0, 44.2, 1e4)):
        pixels += peak * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * 2.0**2)).astype(np.float32)
    plan = SimpleNamespace(x_ref=np.array([40.0, 81.0]), y_ref=np.array([42.0, 44.0]))
    frame = SimpleNamespace(pixels=pixels, bad=np.zeros(pixels.shape, dtype=np.uint8))
    recipe = SimpleNamespace(noise=NoiseModel(), annulus=(12.0, 20.0))
    scene = SimpleNamespace(reference=frame, recipe=recipe)
    found = figures._grow(SimpleNamespace(scene=scene, stars=plan), [0, 1], 6.5)
    radii, flux, error = found
    assert 6.5 in radii
    assert (len(radii), radii[-1]) == (figures.N_LADDER + 1, 12.0)
    share = 1 - np.exp(-(radii**2) / (2 * 2.0**2))
    np.testing.assert_allclose(flux / flux[:, -1:], [share, share], atol=0.01)
    assert np.isfinite(error).all()


def test_stretch_is_monotonic_and_survives_nan():
    pixels = 90 + 60000 * np.linspace(0, 1, 1000).reshape(20, 50) ** 40
    pixels[3, 3] = np.nan
    shown = field.stretch(pixels)
    assert shown.min() == 0
    assert shown.max() == 1
    assert (np.diff(np.delete(shown.ravel(), 153)) >= 0).all()
    np.testing.assert_array_equal(field.stretch(np.full((4, 4), np.nan)), np.zeros((4, 4)))


@pytest.mark.parametrize(
    ("rotation", "parity", "north", "east"),
    [(0, 1, (0, 1), (-1, 0)), (90, 1, (1, 0), (0, 1)), (180, 1, (0, -1), (1, 0)),
     (0, -1, (0, 1), (1, 0))],
)  # fmt: skip
def test_compass_points_north_and_east(axes, rotation, parity, north, east):
    solution = Solution(None, "local", 9, 0.1, 2.0, float(rotation), parity)
    drawn = field.draw_compass(axes, solution, (100, 100))
    arrows = [a for a in drawn if hasattr(a, "xyann") and not a.get_text()]
    for arrow, expected in zip(arrows, (north, east), strict=True):
        direction = np.subtract(arrow.xy, arrow.xyann)
        np.testing.assert_allclose(direction / np.hypot(*direction), expected, atol=1e-12)


def test_stars_are_circled_where_they_are(axes, cube):
    plan = cube.plan
    drawn = field.draw_stars(axes, plan.x_ref, plan.y_ref, plan=plan, radius=4.0, outer=12.0)
    offsets = drawn["circles"]["target"].get_offsets()
    np.testing.assert_allclose(offsets, [[plan.x_ref[0], plan.y_ref[0]]])
    assert "T1" in [label.get_text() for label in drawn["labels"]]


def test_star_curves_are_shifted_by_their_offsets(axes, cube, curve):
    relative, _ = star_curves(cube, curve)
    names, roles = list(cube.plan.star_id), list(cube.plan.role)
    drawn = stars.draw_star_curves(axes, cube.bjd_tdb, relative, names=names, roles=roles)
    first = drawn["curves"][1].get_ydata() - drawn["offsets"][1]
    step = -drawn["offsets"][1]
    expected = np.clip(100 * (relative[:, 1] - 1), -0.75 * step, 0.75 * step)
    np.testing.assert_allclose(first, expected, atol=1e-9)


def test_time_averaging_is_drawn_as_it_was_worked_out(axes):
    minutes, scatter, white = np.array([[2.0, 4.0, 8.0], [0.02, 0.016, 0.012], [0.02, 0.014, 0.01]])
    drawn = residuals.draw_time_averaging(axes, minutes, scatter, white)
    for line, values in ((drawn["measured"], scatter), (drawn["white"], white)):
        np.testing.assert_allclose(line.get_xydata(), np.column_stack([minutes, 100 * values]))


def test_noise_figure_holds_every_star_once(axes):
    magnitude = np.array([-12.0, -11, -10, -9])
    scatter = np.array([0.002, 0.003, np.nan, 0.01])
    roles = ["target", "comparison", "field", "field"]
    drawn = stars.draw_noise(axes, magnitude, scatter, roles=roles, model={"total": scatter})
    assert {k: v.get_xdata().size for k, v in drawn["points"].items()} == {
        "target": 1, "comparison": 1, "field": 1,
    }  # fmt: skip


def test_the_noise_model_is_a_curve_without_spikes(axes):
    magnitude = np.random.default_rng(3).permutation(np.linspace(-12.0, -7.0, 120))
    noise = 0.001 * 10 ** (0.2 * (magnitude + 12))
    spiked = noise * np.where(np.arange(120) % 30 == 7, 3.0, 1.0)
    along, smooth = stars.noise_curve(magnitude, spiked)
    assert (np.diff(along) > 0).all()
    np.testing.assert_allclose(smooth, 0.001 * 10 ** (0.2 * (along + 12)), rtol=0.05)
    stars.draw_noise(axes, magnitude, noise, roles=["field"] * 120, model={"total": spiked})
    assert "oint-to-point" in axes.get_ylabel()
    assert axes.get_ylim()[0] == pytest.approx(100 * noise.min() / 2)


def test_names_keep_off_the_circles_of_neighbours(axes):
    axes.set(xlim=(0, 650), ylim=(0, 500))
    places = np.array([[167.0, 270.0], [188.0, 275.0], [218.0, 275.0], [640.0, 490.0]])
    labels = names.name_stars(axes, places, ["K18", "C11", "C8", "C7"], ["k"] * 4, 17.0)
    for k, (label, own) in enumerate(zip(labels, places, strict=True)):
        box = label.get_window_extent().transformed(axes.transData.inverted())
        assert 0 <= box.x0 < box.x1 <= 650
        assert 0 <= box.y0 < box.y1 <= 500
        for j, other in enumerate(labels[:k]):
            assert not box.overlaps(
                other.get_window_extent().transformed(axes.transData.inverted())
            ), (j, k)
        assert np.hypot(*(label.get_position() - own)) == pytest.approx(0.8 * 17 * np.sqrt(2))
    assert labels[0].get_ha() == "right"  # C11's circle is on the other side


def _fit(curve):
    n = len(curve.flux)
    return TransitFit(
        parameters={"rp_over_rs": Parameter(0.15, 0.14, 0.16)},
        model=np.ones(n), trend=np.ones(n), residuals=curve.flux - 1,
        used=np.isfinite(curve.flux), statistics={"beta": 1.1}, covariates=("airmass",),
        verdict=Verdict(Finding.NONE),
    )  # fmt: skip


def test_whole_figures_are_written(cube, curve, tmp_path):
    check = ("K5", np.linspace(0.99, 1.01, len(curve.flux)))
    times, fit = cube.bjd_tdb, _fit(curve)
    predicted = {"ingress": float(times[20])}
    pixels = np.random.default_rng(0).normal(100, 5, (120, 150))
    profile = night.star_profile(pixels, (60.0, 60.0), 90.0, 12.0, star_id="T1")
    flux, error = np.median(cube.flux, axis=0), np.median(cube.flux_err, axis=0)
    solution = Solution(None, "local", 9, 0.1, 1.0, 10.0, 1)
    names, roles = list(cube.plan.star_id), list(cube.plan.role)
    samples = np.random.default_rng(0).normal([2459000, 1, 2], 1, (500, 3))
    written = [
        light_curve.save_light_curve(
            tmp_path / "a.png", curve, fit=fit, check=check, predicted=predicted
        ),
        light_curve.save_light_curve(tmp_path / "a.pdf", curve, title=r"<b>$\frac x$ & $co"),
        night.save_seeing_profile(
            tmp_path / "b.png", [profile], radius=4.0, annulus=(6.0, 10.0), times=times,
            fwhm=cube.fwhm_px, scale_arcsec=1.2,
        ),
        growth.save_growth(tmp_path / "c.png", cube.radii, flux, error, roles=roles, radius=4.0),
        field.save_field(
            tmp_path / "d.png", pixels, cube.plan, radius=4.0, outer=12.0, solution=solution
        ),
        masters.save_masters(tmp_path / "e.png", {"bias": pixels, "flat": pixels / 100}),
        stars.save_star_curves(
            tmp_path / "f.png", times, star_curves(cube, curve)[0], names=names, roles=roles
        ),
        stars.save_noise(
            tmp_path / "g.png", np.arange(len(roles)), np.full(len(roles), 0.01), roles=roles
        ),
        residuals.save_time_averaging(
            tmp_path / "h.png", *np.geomspace([9, 0.1, 0.1], 1, 5).T, title="x"
        ),
        residuals.save_covariates(
            tmp_path / "i.png", curve.covariates, fit.residuals, chosen=fit.covariates
        ),
        corner.save_corner(tmp_path / "j.png", samples, ["mid_time_bjd_tdb", "b", "c"]),
        night.save_night(tmp_path / "k.png", curve, night_panels(curve)),
    ]  # fmt: skip
    for path in written:
        assert path.read_bytes()[:4] == (PNG if path.suffix == ".png" else b"%PDF"), path


def test_a_night_without_one_good_point_still_has_its_figures(cube, curve, tmp_path):
    nothing = np.full(len(curve.flux), np.nan)
    empty = replace(curve, flux=nothing, flux_err=nothing, comparison_flux=nothing, bjd_tdb=nothing)
    nobody, nobodies = nothing[:3], np.full((2, 3), np.nan)
    pixels = np.full((30, 40), np.nan)
    profile = night.star_profile(pixels, (5.0, 5.0), 0.0, 4.0)
    written = [
        light_curve.save_light_curve(tmp_path / "a.png", empty),
        residuals.save_covariates(tmp_path / "b.png", {"airmass": nothing}, nothing),
        residuals.save_time_averaging(tmp_path / "c.png", nothing, nothing, nothing),
        residuals.save_time_averaging(tmp_path / "d.png", *np.zeros((3, 50))),
        stars.save_noise(tmp_path / "e.png", nobody, nobody, roles=["field"] * 3),
        stars.save_star_curves(
            tmp_path / "f.png", nothing, np.full((60, 3), np.nan), names="abc", roles=["field"] * 3
        ),
        masters.save_masters(tmp_path / "g.png", {"dark": pixels, "flat": np.ones((30, 40))}),
        field.save_field(tmp_path / "h.png", pixels, cube.plan, radius=2, outer=5),
        growth.save_growth(
            tmp_path / "i.png", np.arange(1.0, 4), nobodies, nobodies,
            roles=["target", "comparison"], radius=2.0,
        ),
        night.save_seeing_profile(
            tmp_path / "j.png", [profile], radius=2.0, annulus=(3.0, 5.0), times=nothing,
            fwhm=nothing,
        ),
        night.save_night(tmp_path / "k.png", empty, night_panels(empty)),
    ]  # fmt: skip
    assert sorted(written) == sorted(tmp_path.iterdir())
    for path in written:
        assert path.read_bytes()[:4] == PNG, path
        assert b"IEND" in path.read_bytes()[-12:], path


def test_same_data_same_bytes(curve, tmp_path):
    first = light_curve.save_light_curve(tmp_path / "a.png", curve).read_bytes()
    assert light_curve.save_light_curve(tmp_path / "a.png", curve).read_bytes() == first


def test_a_folder_that_is_not_there_is_one_clear_error(curve, tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        light_curve.save_light_curve(tmp_path / "nowhere" / "a.png", curve)


def test_no_figure_touches_pyplot(tmp_path):
    code = (
        "import sys, lightcurve.report.light_curve, lightcurve.report.fit, numpy as np\n"
        "assert 'matplotlib' not in sys.modules, 'imported too early'\n"
        "lightcurve.report.fit.save_time_averaging(sys.argv[1], *np.ones((3, 9)))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.png")], check=True, timeout=600)
    assert (tmp_path / "x.png").read_bytes()[:4] == PNG


def test_one_wild_value_of_few_does_not_stretch_an_axis():
    values = 1 + 0.005 * np.random.default_rng(3).normal(size=40)
    calm = robust_limits(values)
    for k, wild in ((7, 1.17), (0, 0.5), (39, 1e9)):
        hit = values.copy()
        hit[k] = wild
        assert robust_limits(hit) == pytest.approx(calm, abs=0.006)
        assert robust_limits(hit, percent=0)[wild > 1] == pytest.approx(wild, rel=0.15)
    dip = np.where(np.abs(np.arange(40) - 20) < 2, 0.5, values)  # three points are no accident
    assert robust_limits(dip)[0] < 0.5


@pytest.mark.parametrize(
    ("name", "told"), [("a.txt", "ends with .png"), ("a", "ends with"), ("none/a.png", "written")]
)
def test_a_figure_that_cannot_be_is_told(tmp_path, name, told):
    with (
        pytest.raises(InputError, match=f"{name}.*{told}"),
        style.styled_figure(tmp_path / name) as figure,
    ):
        figure.add_subplot()
    for suffix in style.FORMATS:
        with style.styled_figure(tmp_path / f"a{suffix}") as figure:
            figure.add_subplot()
        assert (tmp_path / f"a{suffix}").stat().st_size > 0


@pytest.mark.parametrize("width", [18, 25, 40])
def test_what_belongs_together_stays_on_one_line(width):
    piece = "3.115 -0.031 +0.028 h"
    text = f"depth 2 %, duration {piece.replace(' ', WHOLE)}, scatter of residuals 0.40 %"
    lines = wrapped(text, width, len)
    assert " ".join(lines) == text.replace(WHOLE, " ") or width < len(piece)
    assert any(piece in line for line in lines) or width < len(piece)
    assert max(map(len, lines)) <= width


def test_one_star_far_above_the_limits_has_its_figure(tmp_path):
    one = np.array([10.0]), np.array([0.01])
    limits = {3.0: 17.6, 5.0: 17.0, 10.0: 16.2}
    save_magnitudes(tmp_path / "magnitudes.png", {"aperture": one}, band="R", limits=limits)
    assert (tmp_path / "magnitudes.png").stat().st_size > 0


def test_labels_that_are_in_line_are_whole(tmp_path):
    with style.styled_figure(tmp_path / "a.png", (5, 4), aligned=True) as figure:
        panels = style.stack_axes(figure, (1, 1))
        for axes, wide, label in zip(panels, (1e6, 1.0), ("one", "two\nlines"), strict=True):
            axes.set(ylim=(0, wide), ylabel=label)
    first, second = (axes.yaxis.label.get_window_extent() for axes in panels)
    assert first.x1 == pytest.approx(second.x1, abs=0.5)  # beside the widest numbers of both
    assert second.x0 >= 0


def test_a_density_is_blurred_as_by_convolution():
    counts = np.random.default_rng(1).integers(0, 9, (12, 7)).astype(float)
    kernel = np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25])
    wanted = counts
    for _ in range(3):
        wanted = convolve2d(wanted, kernel, mode="same")
    np.testing.assert_allclose(corner._smooth(counts), wanted, rtol=1e-14)


def test_a_corner_has_numbers_along_its_outer_sides_alone():
    n, samples = 3, np.random.default_rng(2).normal(size=(500, 3))
    grid = Figure().subplots(n, n)
    for row, column in zip(*np.tril_indices(n, -1), strict=True):
        axes = grid[row, column]
        corner.draw_density(axes, samples[:, column], samples[:, row])
        corner._label_corner(axes, row, column, n, ["a", "b", "c"])
        assert (len(axes.get_xticks()) > 0) == (row == n - 1) == bool(axes.get_xlabel())
        assert (len(axes.get_yticks()) > 0) == (column == 0) == bool(axes.get_ylabel())
