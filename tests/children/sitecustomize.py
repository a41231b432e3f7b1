"""Read by every Python that a test starts: ``conftest.py`` puts this folder on ``PYTHONPATH``."""

import alone  # noqa: F401
