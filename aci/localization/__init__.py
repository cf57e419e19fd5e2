"""Localization without a model: signals, their weights, and the ranking of files and functions for an issue."""
