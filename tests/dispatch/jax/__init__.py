"""Tests of the operations on JAX."""
