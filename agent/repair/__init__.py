"""Repair without a model: fault localization, candidate edits, selection among plausible edits."""
