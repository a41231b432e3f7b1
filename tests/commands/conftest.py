"""A night with calibration frames, for the commands that take a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim import tiny_night


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("night")
    tiny_night(
        folder, n_frames=6, shape=(200, 240), n_stars=40, header_wcs=True, n_bias=9, n_dark=7,
        n_flat=9,
    )  # fmt: skip
    return folder
