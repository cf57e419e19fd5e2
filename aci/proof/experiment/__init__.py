"""Experiment with a patch: what its tests run, and what it changes beyond their values."""
