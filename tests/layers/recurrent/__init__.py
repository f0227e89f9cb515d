"""Tests of recurrent layers, cells and containers."""
