"""A made-up night as a page: a transit with trend, clouds and drift, every number known."""

from __future__ import annotations

import numpy as np

from lightcurve.report.html import Section, table_of
from lightcurve.report.page.contents import (
    Column,
    Curve,
    Fine,
    Frames,
    Lost,
    Numbers,
    Page,
    Star,
    Summary,
)

START = 2460000.7


def make_page(
    n_frames: int = 60, n_stars: int = 8, *, name: str = "Made-up 1 b", **changes
) -> Page:
    """A night of frames every two minutes; `changes` replace parts of the page."""
    rng = np.random.default_rng(11)
    time = START + 2 / 1440 * np.arange(n_frames)
    phase = (time - time.mean()) / np.ptp(time)
    trend = 1 + 0.004 * phase
    model = 1 - 0.012 * np.clip((0.26 - np.abs(phase)) / 0.04, 0, 1)
    noise = rng.normal(0, 0.0015, n_frames)
    flux = model * trend * (1 + noise)
    fine_time = np.linspace(time[0], time[-1], 300)
    fine_phase = (fine_time - time.mean()) / np.ptp(time)
    fine = Fine(fine_time, 1 - 0.012 * np.clip((0.26 - np.abs(fine_phase)) / 0.04, 0, 1))
    flags = np.zeros(n_frames, int)
    flags[::17] = 256
    x, y = 300 + 4 * phase + rng.normal(0, 0.1, n_frames), 200 + rng.normal(0, 0.1, n_frames)
    columns = {
        "shift_x": Column(x - x[0], "", "Shift (px)", "x", panel=True),
        "shift_y": Column(y - y[0], "", "Shift (px)", "y", panel=True),
        "sky": Column(400 + 60 * phase**2, "", "Sky (ADU)", panel=True),
        "fwhm_px": Column(3.2 + rng.normal(0, 0.1, n_frames), "", "FWHM (px)", panel=True),
        "airmass": Column(1.1 + 0.4 * phase**2, "", "Airmass", panel=True, inverted=True),
        "x": Column(x, "pix", "x"),
        "comparison_flux": Column(9e5 * (1 - 0.1 * phase**2), "adu", "comparison flux"),
    }
    rows = [{"file": name, "n": 3, "x": 1.23456789, "reason": None}, {"file": "b", "x": np.nan}]
    parts = {
        "title": f"{name} · 2023-02-25 · V · 60 s",
        "subtitle": "0.4-m telescope · A hill (31.680° N, 110.880° W, 1268 m)",
        "verdict": Summary("transit", f"{name} transits: observed from before to after.", (name,)),
        "facts": [("frames measured", f"{n_frames} of {n_frames + 1}"), ("depth", "1.2 %")],
        "warnings": [f"a remark of {name}"],
        "frames": Frames(
            [f"{name}-{k:04d}.fits" for k in range(n_frames)], time - 0.004, time,
            [f"2023-02-25T{k // 60:02d}:{k % 60:02d}:00.000" for k in range(n_frames)], columns,
        ),
        "lost": [Lost(f"{name}-torn.fits", "no stars", "no_stars")],
        "curve": Curve(
            flux, np.full(n_frames, 0.0015), flags, flags == 0, trend, flux / trend, model,
            flux / trend / model - 1, fine,
            Numbers(0.0015, -600.0, time.mean(), 4e-4, 0.11, 0.002, 0.012),
            {"ingress": time[n_frames // 4], "egress": time[3 * n_frames // 4]},
        ),
        "stars": [
            Star(k, f"{'T' if k == 0 else 'C'}{k + 1}", "target" if k == 0 else "comparison",
                 f"{name} is fit", 10.0 + k / 100, 20.0, 40.0 * (k + 1), 200.0 - k)
            for k in range(n_stars)
        ],
        "run": "run",
        "covariates": ["airmass"],
        "flag_names": {"EDGE": 1, "CLOUD": 256},
        "sections": [Section(name, (name,), tables=(table_of(rows, title=name, folded=True),))],
        "footer": name,
    }  # fmt: skip
    return Page(**(parts | changes))
