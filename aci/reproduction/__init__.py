"""Reproduction of an issue without a model: from the example in its text to a failing test."""
