"""From a night of raw telescope frames to a published transit light curve."""

__version__ = "0.1.0"
