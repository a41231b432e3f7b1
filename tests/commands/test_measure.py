"""`lightcurve measure`: every star, radius and frame, where the truth has them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from typed import WHERE, run


def test_measuring_gives_the_whole_cube(night: Path, tmp_path: Path) -> None:
    told = json.loads(run("measure", night, *WHERE, "--out", tmp_path, "--json"))
    said = {name: result["value"] for name, result in told.items()}
    assert said["frames_measured"] == said["frames_tried"] == 6
    with Path(said["table"]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 * said["stars"] * said["radii"]
    target = [row for row in rows if row["star"] == "T1" and row["radius"] == rows[-1]["radius"]]
    x = np.array([float(row["x"]) for row in target])
    with (night / "truth.csv").open(newline="") as file:
        true_x = np.array([float(row["target_x"]) for row in csv.DictReader(file)])
    assert np.abs(x - true_x).max() < 0.2
