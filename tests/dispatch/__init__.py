"""Tests of the operations on each backend."""
