"""Benchmarks: a command in this package measures each figure in the README. Not part of the wheel."""
