"""Limits of a run: budget, request rate, loop detection and signals."""
