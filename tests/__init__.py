"""Tests of lasagne_next."""
