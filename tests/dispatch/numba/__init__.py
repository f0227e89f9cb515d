"""Tests of the operations on Numba."""
