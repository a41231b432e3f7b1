"""Files to submit: to the letter of their layouts; the validators catch what a service refuses."""

from __future__ import annotations

import io
import json
import logging
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from astropy.timeseries import TimeSeries

from lightcurve.core.data import Finding, Parameter, Planet, TransitFit, Verdict
from lightcurve.core.errors import InputError
from lightcurve.core.flags import Flag
from lightcurve.core.settings import Settings
from lightcurve.curve.choose import choose_curve
from lightcurve.exports import aavso, aavso_exotic, ecsv, exofop
from lightcurve.exports.aavso_extended import extended_text, write_extended
from lightcurve.exports.exoclock import write_etd, write_exoclock
from lightcurve.exports.formats import EXPORTS, export
from lightcurve.exports.submission import Submission, start_time, usable_points
from lightcurve.transit.limb_darkening import from_kipping, limb_darkening_prior
from sim_cube import CubeTruth, simulate_cube

PLANET = Planet(
    "HAT-P-32 b", 31.0428, 46.6878, 2.1500082, 2455867.402743, 0.1508, 6.05, 88.9,
    errors={"period_days": 2e-7},
)  # fmt: skip


@pytest.fixture(scope="module")
def submission():
    cube = simulate_cube(np.ones(25), CubeTruth(n_stars=10), np.random.default_rng(5))
    curve = choose_curve(cube, Settings())
    flags = curve.flags.copy()
    flags[3] |= Flag.OUTLIER
    n = len(flags)
    fit = TransitFit(
        parameters={"rp_over_rs": Parameter(0.1508, 0.1498, 0.1518)},
        model=np.ones(n), trend=np.full(n, 1.001), residuals=np.zeros(n), used=flags == 0,
        statistics={}, covariates=("x", "airmass"), verdict=Verdict(Finding.TRANSIT, "seen whole"),
    )  # fmt: skip
    return Submission(
        replace(curve, flags=flags),
        {
            "star_name": "HAT-P-32",
            "planet_name": "HAT-P-32 b",
            "filter": "Rc",
            "exposure_s": 100.0,
            "camera": "CMOS",
            "observer_code": "abcd",
            "observatory": "Whipple 0.15m",
            "tic": "TIC 292152376",
            "target_magnitude": 11.29,
        },
        planet=PLANET,
        fit=fit,
    )


def told(submission, **details):
    return replace(submission, details={**submission.details, **details})


def test_the_aavso_is_told_that_results_are_corrected_for_other_light(submission):
    parameters = submission.fit.parameters | {
        "dilution": Parameter(0.83, 0.81, 0.85),
        "rp_over_rs_uncorrected": Parameter(0.1374, 0.1365, 0.1383),
    }
    fit = replace(submission.fit, parameters=parameters)
    text = aavso.exoplanet_text(replace(submission, fit=fit))
    assert aavso.write_exoplanet.validate(text) == []
    notes = aavso.read_header(text)["NOTES"]
    assert "0.830 +/- 0.020" in notes
    assert "Rp/R*=0.13740 +/- 0.00090" in notes
    assert aavso.dilution_note(submission) == ""


def test_aavso_exoplanet_to_the_letter(submission):
    text = aavso.exoplanet_text(submission)
    assert aavso.write_exoplanet.validate(text) == []
    lines = text.split("\r\n")
    assert lines[:3] == ["#TYPE=EXOPLANET", "#OBSCODE=ABCD", lines[2]]
    assert lines[2].startswith("#SOFTWARE=lightcurve ")
    assert lines[3:13] == [
        "#DELIM=,", "#DATE_TYPE=BJD_TDB", "#OBSTYPE=CCD", "#STAR_NAME=HAT-P-32",
        "#EXOPLANET_NAME=HAT-P-32 b", "#BINNING=1x1", "#EXPOSURE_TIME=100", "#FILTER=R",
        "#DETREND_PARAMETERS=AIRMASS,X(FITS)_T1", "#MEASUREMENT_TYPE=Rnflux",
    ]  # fmt: skip
    assert lines[13] == "#SECONDARY_OBSCODES="
    assert lines[14].startswith("#PRIORS=Period=2.1500082 +/- 2e-07,")
    assert lines[15] == "#RESULTS=Rp/R*=0.1508 +/- 0.0010"
    assert lines[17] == "#BJD_TDB,Rel-Norm-Flux,Rel-Norm-Flux-Err,AIRMASS,X(FITS)_T1"
    curve, good = submission.light_curve, usable_points(submission)
    row = f"{curve.bjd_tdb[0]:.6f},{curve.flux[0]:.6f},{curve.flux_err[0]:.6f},"
    assert lines[18].startswith(row)
    assert len(lines) == 18 + good.sum() + 1
    assert not good[3]


@pytest.mark.parametrize("finding", [Finding.NONE, Finding.NOT_OBSERVED, Finding.INCONCLUSIVE])
def test_aavso_has_no_results_where_there_is_no_transit(submission, finding):
    verdict = Verdict(finding, "why")
    night = told(submission, notes="clear")
    night = replace(night, fit=replace(submission.fit, verdict=verdict))
    text = aavso.exoplanet_text(night)
    assert aavso.write_exoplanet.validate(text) == []
    assert "\r\n#RESULTS=\r\n" in text
    assert f"\r\n#NOTES=clear; {verdict}\r\n" in text


@pytest.mark.parametrize("finding", [Finding.PARTIAL, Finding.ELSEWHERE])
def test_aavso_notes_what_is_not_as_predicted(submission, finding):
    verdict = Verdict(finding, "why")
    night = replace(submission, fit=replace(submission.fit, verdict=verdict))
    text = aavso.exoplanet_text(night)
    assert "\r\n#RESULTS=\r\n" not in text
    assert str(verdict) in text


@pytest.mark.parametrize("kind", ["exoclock", "etd", "ecsv", "aavso-exoplanet"])
def test_every_export_warns_of_a_night_without_a_transit(submission, kind, caplog, tmp_path):
    export(kind, tmp_path, submission)
    assert not caplog.records
    verdict = Verdict(Finding.INCONCLUSIVE, "a dip of 3.1 sigma")
    export(kind, tmp_path, replace(submission, fit=replace(submission.fit, verdict=verdict)))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(verdict) in record.getMessage()


def test_aavso_priors_have_every_digit(submission):
    planet = replace(PLANET, t0_bjd_tdb=2455867.4027431234)
    text = aavso.exoplanet_text(replace(submission, planet=planet))
    assert f",T0={2455867.4027431234!r}," in text


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("#TYPE=EXOPLANET", "#TYPE=EXTENDED", "TYPE"),
        ("#OBSCODE=ABCD", "#OBSCODE=", "OBSCODE"),
        ("#BINNING=1x1", "#BINNING=5x5", "BINNING"),
        ("#EXPOSURE_TIME=100", "#EXPOSURE_TIME=900", "EXPOSURE_TIME"),
        ("#FILTER=R", "#FILTER=Rc", "FILTER"),
        ("#DETREND_PARAMETERS=AIRMASS,", "#DETREND_PARAMETERS=", "column line"),
        ("\r\n", "\n", "CR LF"),
        ("HAT", "HÄT", "ASCII"),
        ("#NOTES=", "#NOTES=" + "x" * 1001, "NOTES has 1001"),
        ("#STAR_NAME=HAT-P-32", "#STAR_NAME=", "STAR_NAME is empty"),
        (",0.00", ",-0.00", "not positive"),
        ("\r\n2460000", "\r\n24600000", "out of range"),
        ("\r\n2460000", "\r\nnan", "no number"),
    ],
)
def test_a_broken_aavso_report_is_refused(submission, old, new, fault):
    text = aavso.exoplanet_text(submission)
    assert old in text
    faults = aavso.write_exoplanet.validate(text.replace(old, new))
    assert any(fault in f for f in faults), faults


def test_aavso_exotic_to_the_letter(submission):
    # flux = transit * 1.001 exp(0.02 airmass), to be found again as Am1 and Am2
    curve = submission.light_curve
    airmass = np.linspace(1.1, 1.9, len(curve.flux))
    trend = 1.001 * np.exp(0.02 * airmass)
    model = np.where(np.arange(len(airmass)) % 9 > 5, 0.98, 1.0)
    curve = replace(curve, flux=model * trend, covariates={**curve.covariates, "airmass": airmass})
    parameters = {
        "mid_time_bjd_tdb": Parameter(2460000.71234567, 2460000.71200, 2460000.71270, "BJD_TDB"),
        "rp_over_rs": Parameter(0.1508, 0.1498, 0.1518),
        "inclination_deg": Parameter(88.9, 88.6, 89.2, "deg"),
        "duration_days": Parameter(0.12983, 0.1293, 0.1303, "d"),
    }
    fit = replace(
        submission.fit, parameters=parameters, model=model, trend=trend, covariates=("airmass",)
    )
    stars = ((31.123456, 46.654321, 100.5, 200.25), (31.2, 46.7, 300.0, 400.0))
    night = replace(told(submission, notes="calm"), light_curve=curve, fit=fit, comparisons=stars)
    text = aavso_exotic.exotic_text(night)
    assert aavso_exotic.write_exotic.validate(text) == []
    lines = text.split("\n")
    # Each line as EXOTIC has it, and in its order.
    header = [line[1:].split("=", 1) for line in lines if re.match(r"#[A-Z]", line) and "=" in line]
    assert [key for key, _ in header] == [
        "TYPE", "OBSCODE", "SECONDARY_OBSCODES", "SOFTWARE", "DELIM", "DATE_TYPE", "OBSTYPE",
        "STAR_NAME", "EXOPLANET_NAME", "BINNING", "EXPOSURE_TIME", "COMP_STAR-XC", "NOTES",
        "DETREND_PARAMETERS", "MEASUREMENT_TYPE", "FILTER", "FILTER-XC", "PRIORS", "PRIORS-XC",
        "RESULTS", "RESULTS-XC",
    ]  # fmt: skip
    said = dict(header)
    plain = {"TYPE": "EXOPLANET", "DATE_TYPE": "BJD_TDB", "MEASUREMENT_TYPE": "Rnflux"}
    plain |= {"FILTER": "R", "DETREND_PARAMETERS": "AIRMASS, AIRMASS CORRECTION FUNCTION"}
    assert plain.items() <= said.items()
    assert said["NOTES"] == "calm; DETREND_2 is a line in airmass"
    first, second = json.loads(said["COMP_STAR-XC"])
    assert first == {"ra": "31.123456", "dec": "46.654321", "x": "100.50", "y": "200.25"}
    assert second["x"] == "300.00"
    band = json.loads(said["FILTER-XC"])
    assert band["fwhm"] == [{"value": "561.7", "units": "nm"}, {"value": "719.7", "units": "nm"}]
    assert re.fullmatch(
        r"Period=2\.15000820 \+/- 0\.00000020,Rp/R\*=0\.1508,a/R\*=6\.05,inc=88\.9,ecc=0\.0,"
        r"u0=0\.0,u1=0\.\d\d \+/- 0\.\d\d,u2=0\.0,u3=-0\.\d\d \+/- 0\.\d\d",
        said["PRIORS"],
    )
    assert json.loads(said["PRIORS-XC"])["Period"] == {
        "value": "2.15000820", "uncertainty": "0.00000020", "units": "days",
    }  # fmt: skip
    results = re.fullmatch(
        r"Tc=2460000\.71235 \+/- 0\.00035,Rp/R\*=0\.1508 \+/- 0\.0010,inc=88\.90 \+/- 0\.30,"
        r"Am1=(\S+) \+/- (\S+),Am2=(\S+) \+/- (\S+)",
        said["RESULTS"],
    )
    level, level_err, slope, slope_err = map(float, results.groups())
    assert level == pytest.approx(1.001, abs=0.1 * level_err)
    assert slope == pytest.approx(0.02, abs=0.1 * slope_err)
    assert json.loads(said["RESULTS-XC"])["Duration"]["units"] == "days"
    start = lines.index("#DATE,DIFF,ERR,DETREND_1,DETREND_2")
    assert all(line.startswith("# ") for line in lines[start - 2 : start])
    rows = np.array([line.split(",") for line in lines[start + 1 : -1]], dtype=float)
    good = usable_points(night)
    np.testing.assert_allclose(rows[:, 0], curve.bjd_tdb[good], rtol=0, atol=1e-8)
    np.testing.assert_allclose(rows[:, 1] / rows[:, 4], model[good], atol=2e-7)
    np.testing.assert_allclose(rows[:, 3], airmass[good], atol=1e-7)
    assert re.fullmatch(r"\d{7}\.\d{8}(,\d\.\d{7}){4}", lines[start + 1])


def test_the_limb_darkening_handed_in_is_the_quadratic_law():
    values = aavso_exotic._limb_darkening(PLANET, "V")
    (q1, q2), width, _ = limb_darkening_prior(
        PLANET.teff_k, "V", logg=PLANET.logg, feh=PLANET.feh, errors=PLANET.errors
    )
    c2, c4 = values["u1"][0], values["u3"][0]
    mu = np.linspace(0.05, 1, 20)
    nonlinear = 1 - c2 * (1 - mu) - c4 * (1 - mu**2)
    u1, u2 = from_kipping(q1, q2)
    np.testing.assert_allclose(nonlinear, 1 - u1 * (1 - mu) - u2 * (1 - mu) ** 2, atol=1e-3)
    # The errors, against sampling q1 and q2.
    rng = np.random.default_rng(4)
    sampled = [from_kipping(*pair) for pair in rng.normal((q1, q2), 0.01 * width, (4000, 2))]
    first, second = np.array(sampled).T
    assert np.std(first + 2 * second) == pytest.approx(0.01 * values["u1"][1], rel=0.05)
    assert np.std(second) == pytest.approx(0.01 * values["u3"][1], rel=0.05)


def test_aavso_exotic_without_transit_or_fit(submission):
    fit = replace(submission.fit, verdict=Verdict(Finding.NONE, "none"))
    said = aavso_exotic.exotic_text(replace(submission, fit=fit))
    assert "\n#RESULTS=\n#RESULTS-XC={}\n" in said
    assert "no transit: none" in said
    bare = aavso_exotic.exotic_text(replace(told(submission, filter="Y"), fit=None, planet=None))
    assert aavso_exotic.write_exotic.validate(bare) == []
    assert "\n#COMP_STAR-XC=null\n" in bare
    assert '"fwhm": [{"value": null' in bare
    assert bare.rstrip().endswith(",1.0000000")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("\n", "\r\n", "line feed"),
        ("#COMP_STAR-XC=null", "#COMP_STAR-XC={ra}", "COMP_STAR-XC is not JSON"),
        ("#COMP_STAR-XC=null", "#COMP_STAR-XC=NaN", "COMP_STAR-XC is not JSON"),
        ("#PRIORS-XC", "#PRIORS-X", "#PRIORS-XC= is missing"),
        ("AIRMASS CORRECTION FUNCTION", "X", "DETREND_PARAMETERS must be"),
        ("#DATE,DIFF", "#DATE,FLUX", "column line"),
        ("#TYPE=EXOPLANET\n#OBSCODE=ABCD\n", "#OBSCODE=ABCD\n#TYPE=EXOPLANET\n", "order"),
        (",1.0010000\n", "\n", "4 values for 5 columns"),
    ],
)
def test_a_broken_exotic_report_is_refused(submission, old, new, fault):
    text = aavso_exotic.exotic_text(submission)
    assert old in text
    faults = aavso_exotic.write_exotic.validate(text.replace(old, new))
    assert any(fault in f for f in faults), faults


def test_aavso_extended_to_the_letter(submission):
    text = extended_text(submission)
    assert write_extended.validate(text) == []
    lines = text.splitlines()
    assert lines[6] == (
        "#NAME,DATE,MAG,MERR,FILT,TRANS,MTYPE,CNAME,CMAG,KNAME,KMAG,AMASS,GROUP,CHART,NOTES"
    )
    cells = lines[7].split(",")
    assert cells[0] == "HAT-P-32"
    assert cells[4:11] == ["R", "NO", "STD", "ENSEMBLE", "na", "na", "na"]
    magnitude = 11.29 - 2.5 * np.log10(submission.light_curve.flux[0])
    assert float(cells[2]) == pytest.approx(magnitude, abs=1e-5)
    assert float(cells[1]) == pytest.approx(submission.light_curve.jd_utc[0], abs=1e-5)
    for old, new, fault in [
        (",STD,", ",", "14 fields"), ("#DATE=JD\n", "", "#DATE="), (",R,NO", ",Q,NO", "filter"),
        ("HAT-P-32", "x" * 31, "NAME"), ("#OBSTYPE", "\n#OBSTYPE", "blank"),
    ]:  # fmt: skip
        assert any(fault in f for f in write_extended.validate(text.replace(old, new))), fault
    with pytest.raises(InputError, match="magnitude"):
        extended_text(told(submission, target_magnitude=None))


def test_check_star_stands_in_its_columns(submission):
    check = np.full(25, 12.3456)
    check[0] = np.nan
    text = extended_text(replace(submission, check_name="000-BBP-713", check_magnitude=check))
    assert write_extended.validate(text) == []
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    assert rows[0][9:11] == ["na", "na"]
    assert rows[1][9:11] == ["000-BBP-713", "12.3456"]


def test_exoclock_has_the_start_and_etd_the_middle(submission):
    ours, theirs = write_exoclock.text(submission), write_etd.text(submission)
    assert write_exoclock.validate(ours) == []
    assert write_etd.validate(theirs) == []
    assert ours.splitlines()[:7] == [
        "#Planet: HAT-P-32b", "#Time format: JD_UTC", "#Time stamp: Exposure start",
        "#Flux format: Flux", "#Filter: Rc", "#Exposure time in seconds: 100",
        "#Time\tFlux\tFlux uncertainty",
    ]  # fmt: skip
    assert theirs.splitlines()[1:4] == [
        "#Time format: JD_UTC (geocentric)", "#Time stamp: Mid-exposure",
        "#Flux format: Flux (in flux)",
    ]  # fmt: skip
    start, middle = (np.loadtxt(io.StringIO(t)) for t in (ours, theirs))
    good = usable_points(submission)
    np.testing.assert_allclose(
        (middle[:, 0] - start[:, 0]) * 86400, 50, atol=1e-4, err_msg="half the exposure"
    )
    np.testing.assert_allclose(middle[:, 0], submission.light_curve.jd_utc[good], rtol=0, atol=1e-9)
    np.testing.assert_allclose(start[:, 1], submission.light_curve.flux[good], atol=1e-10)
    assert re.fullmatch(r"\d{7}\.\d{10}\t\d\.\d{10}\t\d\.\d{10}", ours.splitlines()[7])
    assert write_etd.validate(ours)
    assert write_exoclock.validate(theirs)
    assert write_exoclock.validate(ours.replace("#Filter: Rc\n", ""))
    assert write_exoclock.validate(ours.replace("HAT-P-32b", " "))
    assert write_exoclock.validate("")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("aavso-exoplanet", r"AAVSO_Report_ABCD_BJD_TDB_Rnflux_{day}-\d\dh\d\dm\d\ds\.txt"),
        ("aavso-exotic", r"AAVSO_HAT-P-32b_{day}\.txt"),
        ("aavso-extended", r"AID_AAVSO_HAT-P-32_{day}\.txt"),
        ("ecsv", r"HAT-P-32-b_{day}_lightcurve\.ecsv"),
        ("etd", r"{day}_HAT-P-32b_Rc_100s_for_ETD\.txt"),
        ("exoclock", r"{day}_HAT-P-32b_Rc_100s_for_ExoClock\.txt"),
    ],
)
def test_the_file_is_named_after_the_night(submission, tmp_path, kind, name):
    (path,) = export(kind, tmp_path, submission)
    day = start_time(submission).strftime("%Y-%m-%d")
    assert re.fullmatch(name.replace("{day}", day), path.name)


def test_ecsv_is_read_by_astropy_without_loss(submission, tmp_path):
    (path,) = ecsv.write_ecsv(tmp_path, told(submission, star_name="it's: {odd}"))
    table = Table.read(path, format="ascii.ecsv")
    good = usable_points(submission)
    np.testing.assert_array_equal(table["time"], submission.light_curve.bjd_tdb[good])
    np.testing.assert_array_equal(table["flux"], submission.light_curve.flux[good])
    assert table["time"].unit == "d"
    assert table.meta["star"] == "it's: {odd}"
    assert table.meta["time_scale"] == "tdb"
    series = TimeSeries.read(path, time_column="time", time_format="jd", time_scale="tdb")
    assert len(series) == good.sum()
    plain = pd.read_csv(path, comment="#")
    np.testing.assert_allclose(plain["flux_err"], submission.light_curve.flux_err[good], rtol=1e-12)
    assert ecsv.write_ecsv.validate(path.read_text().replace("flux,flux_err", "f,e"))


def test_exofop_bundle_has_its_names(submission, tmp_path):
    picture = tmp_path / "lightcurve.png"
    picture.write_bytes(b"picture")
    out = tmp_path / "bundle"
    files = {"lightcurve.png": picture, "unknown.txt": picture}
    written = export("exofop", out, replace(submission, files=files))
    date = start_time(submission).strftime("%Y%m%d")
    base = f"TIC292152376-01_{date}_Whipple-0.15m_Rc"
    assert [p.name for p in written] == [f"{base}_datasubset.dat", f"{base}_lightcurve.png"]
    assert written[1].read_bytes() == b"picture"
    assert exofop.write_subset.validate(written[0].read_text()) == []
    for tic in ("", "TOI 1", "1" * 13, "٣"):
        with pytest.raises(InputError, match="TIC number"):
            export("exofop", out, told(submission, tic=tic))
    with pytest.raises(InputError, match="observatory"):
        export("exofop", out, told(submission, observatory=" "))
    with pytest.raises(InputError, match="No such file"):
        export("exofop", out, replace(submission, files={"field.png": tmp_path / "gone.png"}))


@pytest.mark.parametrize("kind", EXPORTS.names())
def test_every_export_is_repeatable_and_needs_no_fit(submission, kind, tmp_path):
    first = [p.read_bytes() for p in export(kind, tmp_path, replace(submission, fit=None))]
    second = [p.read_bytes() for p in export(kind, tmp_path, replace(submission, fit=None))]
    assert first == second
    assert first


def test_what_would_be_refused_is_not_written(submission, tmp_path):
    with pytest.raises(InputError, match="OBSCODE"):
        export("aavso-exoplanet", tmp_path, told(submission, observer_code=""))
    with pytest.raises(InputError, match="no AAVSO code"):
        export("aavso-exoplanet", tmp_path, told(submission, filter="Mystery"))
    with pytest.raises(InputError, match="must be one of aavso-exoplanet"):
        export("fax", tmp_path, submission)
    nothing = replace(submission.light_curve, flux=np.full(25, np.nan))
    with pytest.raises(InputError, match="no usable point"):
        export("etd", tmp_path, replace(submission, light_curve=nothing))
    assert list(tmp_path.iterdir()) == []


def test_start_is_half_an_exposure_before_the_first_middle(submission):
    # JD 2460000.6 is 2023-02-25 02:24:00 UTC (JD 2460000.5 is midnight)
    shown = start_time(submission)
    seconds = (submission.light_curve.jd_utc[0] - 2460000.5) * 86400 - 50
    assert shown.strftime("%Y-%m-%d") == "2023-02-25"
    assert shown.hour * 3600 + shown.minute * 60 + shown.second == round(seconds)
