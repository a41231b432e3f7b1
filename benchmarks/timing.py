"""How benchmarks take time: alternatives in turn, so that a busy machine slows both alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np


def in_turn(
    works: dict[str, Callable[[int], object]], count: int, *, rounds: int = 3
) -> dict[str, float]:
    """Time several ways to work through the same items, item by item in turn.

    Parameters
    ----------
    works : dict of str to callable
        Each takes the number of an item.
    count : int
        Items.
    rounds : int

    Returns
    -------
    dict of str to float
        Seconds of processor time an item: the median over items of the best of the rounds.
    """
    best = {name: np.full(count, np.inf) for name in works}
    for _ in range(rounds):
        for item in range(count):
            for name, work in works.items():
                start = time.process_time()
                work(item)
                best[name][item] = min(best[name][item], time.process_time() - start)
    return {name: float(np.median(seconds)) for name, seconds in best.items()}


def show(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a small table."""
    print(f"\n{title}")
    lines = [list(map(str, head)), *(list(map(str, row)) for row in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    for line in lines:
        print("  " + "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)))
