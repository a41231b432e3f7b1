"""Answers of services, remembered on disk as they came, with their age."""

from __future__ import annotations

import gzip
import hashlib
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from lightcurve.cache import cache_dir, keep
from lightcurve.constants import DAY_S

MAX_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A remembered answer."""

    body: bytes
    age_days: float


def _path(server: str, request: str) -> Path:
    digest = hashlib.sha256(f"{server}\n{request}".encode()).hexdigest()[:32]
    return cache_dir() / "answers" / f"{digest}.gz"


def recall(server: str, request: str) -> Answer | None:
    """Look for the answer to a question asked before.

    server, request: the same texts are the same question.
    None too where the file cannot be read: it is then asked anew.
    """
    path = _path(server, request)
    try:
        age = (time.time() - path.stat().st_mtime) / DAY_S
        with gzip.open(path) as file:
            body = file.read(MAX_BYTES)
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    return Answer(body, max(age, 0.0))


def is_kept(server: str, request: str) -> bool:
    """Tell whether an answer was kept, though it may be damaged."""
    return _path(server, request).exists()


def remember(server: str, request: str, body: bytes) -> str:
    """Keep an answer, whole or not at all.

    Empty, or why it could not be kept: a full disk costs the memory, not the run.
    """
    trouble = keep(_path(server, request), gzip.compress(body, 1, mtime=0))
    return f"answer not remembered ({trouble})" if trouble else ""
