"""Phases that strategies share."""
