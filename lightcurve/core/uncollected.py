"""Loaded first by the process that others are forked from: what it loads stays, so none is let go.

Looking for what holds itself takes a fifth of the time that libraries take to load; `keep_loaded`
of `lightcurve.core.garbage` ends it.
"""

import gc

gc.disable()
