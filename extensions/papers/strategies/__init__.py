"""Strategies from papers; each names its source."""
