"""Tests of `lasagne_next.diffusion`."""
