"""The strategy that writes tests."""
