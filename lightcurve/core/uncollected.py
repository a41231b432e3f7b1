"""Loaded first by the process that others are forked from: what it loads stays, so none is let go.

Looking for what holds itself takes a fifth of the time that libraries take to load. Who is forked
looks for it, also if it is of a program that uses this package and forks from the same process.
"""

import gc
import os

gc.disable()
os.register_at_fork(after_in_child=gc.enable)
