"""Test generation for one file: coverage loop, tests by a model, code that these may use."""
