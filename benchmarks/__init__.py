"""Benchmarks: a command in this package measures each figure in docs/. Not part of the wheel."""
