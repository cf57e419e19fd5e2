"""Hooks that make test runners report each test's result, in one module per runner, loaded by name."""
