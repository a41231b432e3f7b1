"""`lightcurve table`: what a file of AstroImageJ's holds, on the screen and for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lightcurve.cli import app
from lightcurve.core.errors import InputError


def described(*arguments: object) -> dict:
    given = ["table", *map(str, arguments), "--json"]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_every_public_file_is_described(shared_data: Path) -> None:
    for path in sorted((shared_data / "aij-tables").iterdir()):
        names = ("--columns", "BJD_TDB,rel_flux_T1,rel_flux_err_T1")
        found = described(path, *(names if "no_header" in path.name else ()))
        assert found["stars"][0]["star"] == "T1", path.name


def test_a_table(shared_data: Path) -> None:
    found = described(shared_data / "hatp32-aij" / "hatp32_aij_var_fwhm.csv")
    told = found["summary"]
    assert (told["rows"]["value"], len(found["stars"])) == (142, 6)
    assert told["Source_Radius"]["value"] == pytest.approx([3.97076, 6.66481], abs=1e-5)
    assert told["Sky_Rad(min)"] == {"value": [10, 10], "unit": "px"}
    assert "BJD_TDB" in told["missing"]["value"]
    assert found["stars"][0]["ra_deg"] == pytest.approx(31.0427, abs=1e-3)
    assert found["stars"][1]["star"] == "C2"


def test_settings_files(shared_data: Path, tmp_path: Path) -> None:
    found = described(shared_data / "aij-tables" / "aij-sample-apertures.aperture")
    told = found["summary"]
    assert told["radius_px"] == {"value": 15, "unit": "px"}
    assert told["sky_px"] == {"value": [27, 41], "unit": "px"}
    assert [star["comparison"] for star in found["stars"][:3]] == [False, False, True]
    stars = tmp_path / "stars.radec"
    stars.write_text("02:04:10.278, +46:41:16.21, 0, 1, 11.29\n2.1, 46.5, 1, 0\n")
    found = described(stars)
    assert "radius_px" not in found["summary"]
    assert found["stars"][1] == {
        "star": "C2", "x_ij": None, "y_ij": None, "ra_deg": 31.5, "dec_deg": 46.5,
        "magnitude": None, "comparison": True, "centroid": False,
    }  # fmt: skip
    plot = tmp_path / "x.plotcfg"
    plot.write_text(".plot.ylabel0=rel_flux_T1\n.plot.detrendlabel0_0=AIRMASS\n")
    found = described(plot)
    assert found["stars"] == [{"curve": 0, "column": "rel_flux_T1", "detrended by": "AIRMASS"}]


def test_on_the_screen(shared_data: Path) -> None:
    path = shared_data / "aij-tables" / "amher.tbl"
    result = CliRunner().invoke(app, ["table", str(path)], catch_exceptions=False)
    assert "BJD_TDB holds no times" in " ".join(result.stdout.split())
    assert "C13" in result.stdout
    with pytest.raises(InputError, match="cannot be read"):
        CliRunner().invoke(app, ["table", "nowhere.tbl"], catch_exceptions=False)
