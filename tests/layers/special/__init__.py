"""Tests of the special layers."""
