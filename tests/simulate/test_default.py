"""A night simulated without further options can be reduced: its lights have a WCS."""

from __future__ import annotations

import pytest
from astropy.io import fits
from typer.testing import CliRunner

from lightcurve.cli import app

SMALL = ("--frames", "1", "--bias", "0", "--dark", "0", "--flat", "0", "--size", "64", "64")


@pytest.mark.parametrize(("option", "there"), [((), True), (("--no-wcs",), False)], ids=str)
def test_the_lights_have_a_wcs_unless_it_is_not_wanted(tmp_path, option, there) -> None:
    done = CliRunner().invoke(app, ["simulate", str(tmp_path / "night"), *SMALL, *option])
    assert done.exit_code == 0, done.output
    (light,) = (p for p in (tmp_path / "night").rglob("*") if p.suffix in {".fits", ".fit"})
    assert ("CRVAL1" in fits.getheader(light)) == there
