"""Tests of the pooling and upscaling layers."""
