"""Hooks that make a test runner report each test's result, one file per runner, found by its name."""
