"""Test generation without a model: arguments for a module's functions, a search for cases, and a test file."""
