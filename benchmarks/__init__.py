"""Slow measurements of the program, and the pictures of its README.

Nights and servers with a known truth are those of the tests.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
