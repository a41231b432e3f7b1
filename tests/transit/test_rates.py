"""The campaign of verdicts: what is possible is worked out right, and the page is written."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.bench_verdicts import MARK, Kind, best_rate, strength, write_page


def test_a_box_in_white_noise_has_the_strength_of_a_difference_of_means() -> None:
    loss = np.where(np.arange(60) < 20, 0.01, 0.0)
    kind = Kind(white=0.002)
    none = np.zeros((60, 1))
    expected = 0.01 / 0.002 / np.sqrt(1 / 20 + 1 / 40)
    assert strength(kind, np.arange(60.0), loss, none) == pytest.approx(expected)
    drift = 100 * (loss - loss.mean())[:, None]  # looks like it, and may be of any size
    assert strength(kind, np.arange(60.0), loss, drift) < 0.01


def test_what_is_possible_is_what_normal_draws_give() -> None:
    sigma = np.random.default_rng(3).normal(size=200_000)
    for strong in (2.0, 3.5):
        found = np.mean(sigma + strong > 2.748)  # in 0.3 % of nights by noise alone
        told = best_rate(Kind(), np.array([strong]))
        assert told == pytest.approx(found, abs=5e-3)
        odds = np.exp(strong * sigma - strong**2 / 2)
        excluded = np.mean(odds < np.exp(-4.5))
        told = best_rate(Kind(there=False), np.array([strong]))
        assert told == pytest.approx(excluded, abs=5e-3)


def test_the_table_goes_between_the_marks_of_a_page(tmp_path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{MARK}\nold\n{MARK}\nafter\n")
    write_page(page, "| new |")
    assert page.read_text() == f"before\n{MARK}\n| new |\n{MARK}\nafter\n"
