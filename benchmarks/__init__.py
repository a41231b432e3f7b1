"""Slow measurements of the program, and the pictures of its README."""
