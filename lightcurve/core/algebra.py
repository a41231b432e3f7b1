"""Linear algebra in one thread, so that no last digit hangs on how many a machine has."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

__all__ = ["LIBRARIES", "one_thread"]

LIBRARIES = ("OPENBLAS", "MKL")  # what numpy and scipy may be built with


def one_thread() -> AbstractContextManager[object]:
    """Keep the libraries beneath numpy and scipy to one thread.

    Products of matrices are summed in another order by two threads than by one. Frames are measured
    side by side in processes anyway, and for matrices as small as ours one thread is the fastest.
    `cli.main` asks for the same before numpy is loaded; whoever calls from Python has it loaded
    already, with as many threads as the machine gave.
    """
    from threadpoolctl import threadpool_limits

    if any(os.environ.get(f"{library}_NUM_THREADS") != "1" for library in LIBRARIES):
        import scipy.linalg  # noqa: F401  (those are kept that are loaded)
    return threadpool_limits(limits=1, user_api="blas")
