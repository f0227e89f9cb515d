"""Slow, obvious numpy references, written from the definitions."""
