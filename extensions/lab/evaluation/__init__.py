"""Evaluation of predictions: hidden tests in clean workspaces, reports, comparisons."""
