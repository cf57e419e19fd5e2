"""Evaluation of candidate edits against tests, thousands per minute: evaluator, spectrum and condition probes."""
