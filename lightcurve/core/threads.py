"""Threads that work side by side and are not waited for where their work is given up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

__all__ = ["Threads"]


class Threads(ThreadPoolExecutor):
    """Threads as long as a block lasts; one that ends in an error does not wait for them.

    A question to a server may take a minute, and Ctrl-C none.
    """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Wait for what they do, or let them."""
        self.shutdown(wait=error is None, cancel_futures=error is not None)
