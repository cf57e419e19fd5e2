"""Hooks that make test runners of other languages than Python report each test's result, in one module per runner."""
