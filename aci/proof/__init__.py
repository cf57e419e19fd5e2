"""Proof of a patch: reproduction, regressions, repository checks, contamination and prompt injection."""
