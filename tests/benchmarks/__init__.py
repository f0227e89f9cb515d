"""Benchmarks, never part of a test run: ``python -m tests.benchmarks``."""
