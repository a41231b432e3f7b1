"""Whole nights of the second renderer, from frames to fit, against what went into them."""

from __future__ import annotations

import json

import pytest

from benchmarks.bench_campaign import FITTED, MARK, Job, one_night, summary, write_tables
from benchmarks.nights import KINDS


@pytest.mark.parametrize(
    ("kind", "number", "lost"),
    [("clear", 0, 0.0), ("warm", 1, 0.0), ("colour", 0, 0.0), ("holes", 0, 0.05)],
)
# Of frames with holes those are lost whose core one of them is.
def test_a_night_of_another_making_is_reduced_to_its_truth(kind, number, lost, tmp_path):
    row = one_night(Job("second", kind, number, seed=1, sample=False), tmp_path)
    assert row["verdict"] == row["wanted"] == "transit"
    assert row["kept"] >= (1 - lost) * row["frames"]
    assert 0.8 < row["pull"] < 1.25
    assert row["scatter"] < 1.25 * row["limit"]
    for name, true in zip(row["found"], row["true"], strict=True):
        value, error = row["found"][name]
        assert abs(value - true) < 3 * error, name


def test_a_campaign_sums_its_nights_up():
    """Mid-times late by 10 s with errors of 20 s, one frame in ten lost, one night not seen."""
    true = [2460000.5, 0.1, 0.08]
    night = {
        "frames": 50,
        "kept": 45,
        "limit": 0.002,
        "scatter": 0.003,
        "pull": 1.5,
        "seconds": 1.0,
    }
    seen = {"verdict": "transit", "wanted": "transit", "seen": True, "true": true}
    late = {name: [value, 0.01 * value] for name, value in zip(FITTED, true, strict=True)}
    late["mid_time_bjd_tdb"] = [true[0] + 10 / 86400, 20 / 86400]
    rows = [night | seen | {"found": late}] * 3
    rows.append(night | {"verdict": "failed", "wanted": "transit", "kept": 45, "true": true})
    told = summary(rows)
    assert told["lost"] == pytest.approx(0.1)
    assert (told["nights"], told["right"]) == (4, 3)
    assert told["verdicts"] == {"transit": 3, "failed": 1}
    assert told["over_limit"] == pytest.approx(1.5)
    assert told["mid_time_bjd_tdb"]["bias"][0] == pytest.approx(10.0, abs=0.01)
    assert told["mid_time_bjd_tdb"]["width"] == pytest.approx(0.5, abs=0.01)
    assert told["rp_over_rs"]["bias"][0] == pytest.approx(0.0)


def test_a_page_takes_the_table_between_its_marks(tmp_path):
    page, lines = tmp_path / "page.md", tmp_path / "nights.jsonl"
    page.write_text(f"before\n{MARK}\nold\n{MARK}\nafter\n")
    row = {"kind": "clear", "renderer": "ours", "frames": 5, "kept": 5, "seconds": 1.0}
    lines.write_text(json.dumps(row | {"verdict": "failed", "wanted": "transit"}) + "\n")
    write_tables(lines, page)
    text = page.read_text()
    assert text.startswith(f"before\n{MARK}\n")
    assert text.endswith(f"{MARK}\nafter\n")
    assert "| clear | ours | 1 | 0.0 % |" in text
    assert "old" not in text
    assert all(f"| {name} |" in text for name in KINDS)
