"""Test generation for one file: the coverage loop, tests written by a model, and the restrictions on the code of these
tests."""
