"""Proof of a patch: reproduction, regressions, and repository checks."""
