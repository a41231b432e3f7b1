"""The list of a frame with its PSF: the threshold is one of the numbers told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from field import FieldSpec, render, write_frame
from lightcurve.core.flags import Flag
from lightcurve.core.progress import Clock
from lightcurve.image import psf
from lightcurve.image.reduced import FoundBy
from lightcurve.image.story import measure_image
from sim_image import offline

CROWDED = FieldSpec(shape=(240, 240), n_stars=420, flux_range=(500, 1e5), fwhm_px=(3.2,))


def test_what_is_added_reaches_the_threshold_with_all_that_its_error_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psf, "flux_error", lambda *_: 0.12)
    path = write_frame(tmp_path / "f.fits", render(CROWDED, 3))
    reduced = measure_image(path, offline(injected=0, transients=False), Clock())
    added = reduced.sources.found_by == FoundBy.RESIDUAL
    assert added.sum() > 10
    snr = np.asarray(reduced.table["snr"])
    assert snr.min() >= 5
    # A flaw of 12 % of all light leaves no S/N above 8.3.
    assert snr[added].max() < 1 / 0.12
    # Whether one is a flaw of its neighbours is another question than how well its flux is known.
    unsure = (reduced.sources.flags & Flag.UNSURE) != 0
    assert unsure[added].mean() < 0.2
