"""Catalogues and services: one small file each, one cache, cross-match."""
