"""The strategy that optimizes a function."""
