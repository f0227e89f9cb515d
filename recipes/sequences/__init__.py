"""Recurrent networks on sequences."""
