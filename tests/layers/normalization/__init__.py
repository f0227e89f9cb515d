"""Tests of the layers that normalise."""
