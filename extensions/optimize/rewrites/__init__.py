"""Rewrites of Python code without a model, and the analysis they need."""
