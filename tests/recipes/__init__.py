"""Tests of the recipes and of what they share."""
