"""Plate solvers, star-pattern registration, and the WCS they give."""
