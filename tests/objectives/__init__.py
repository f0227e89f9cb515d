"""Tests of the losses and accuracies."""
