"""Findings that matter for merging a patch, beside its verdict."""
