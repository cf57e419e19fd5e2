"""Kinds of tasks, one module each: `generate(source, random)` yields candidates."""
