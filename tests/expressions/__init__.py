"""Tests of the parameter expressions."""
