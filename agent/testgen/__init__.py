"""Test generation for one file: the coverage loop, tests written by a model, and code that these tests may use."""
