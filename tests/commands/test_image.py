"""What `lightcurve image` shows of many frames."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.commands.image import by_error
from lightcurve.image import batch as image_batch

LONG = "kp.20210101T030405.678.fits"
REASON = "header: the header has no WCS; local: no index files: give --index FILE or FOLDER"


@pytest.fixture(params=[False, True], ids=["piped", "terminal of 80"])
def shown(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Lines of the table of a frame that was reduced and one that was not."""
    row = {
        "file": LONG, "status": "reduced", "reason": "", "sources": 1234, "astrometry_stars": 87,
        "astrometry_rms_px": 0.04321, "fwhm_px": 3.45678, "fwhm_err_px": 0.0234,
        "fwhm_arcsec": 3.5555, "band": "V", "zero_point_mag": 21.48123,
        "zero_point_err_mag": 0.01234, "limit_5_sigma_mag": 19.98765,
    }  # fmt: skip
    bad = {"file": "b.fits", "status": "not solved", "reason": REASON, "fwhm_px": float("nan")}
    monkeypatch.setattr(image_batch, "reduce_images", lambda *_, **__: [row, bad])
    if request.param:
        monkeypatch.setenv("TERM", "dumb")
        monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True)
    run = CliRunner().invoke(app, ["image", "x.fits"])
    assert run.exit_code == 1
    return run.stdout.splitlines()


def test_names_stay_whole_and_reasons_stand_below(shown: list[str]) -> None:
    (line,) = [line for line in shown if LONG in line]
    assert "21.481 ± 0.012" in line
    below = shown.index(next(line for line in shown if line.startswith("b.fits: ")))
    assert shown[below] == f"b.fits: not solved: {REASON}"
    assert not any("header has no WCS" in line for line in shown[:below])
    assert not any("nan" in line for line in shown)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (21.48123, 0.01234, "21.481 ± 0.012"),
        (3.45678, 0.5, "3.46 ± 0.50"),
        (1234.5, 123.0, "1234 ± 123"),
        (3.45678, None, "3.46"),
        (3.45678, 0.0, "3.46"),
        (3.45678, float("nan"), "3.46"),
        (float("nan"), 0.1, ""),
    ],
)
def test_numbers_have_the_digits_of_their_error(
    value: float, error: float | None, text: str
) -> None:
    assert by_error(value, error, 2) == text
