"""How long the stages of a story take."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass
class Clock:
    """How long each stage took."""

    timings_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the block as `stage`."""
        start = time.perf_counter()
        yield
        self.timings_s[stage] = time.perf_counter() - start
        log.info("%s: %.2f s", stage, self.timings_s[stage])
