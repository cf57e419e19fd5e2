"""Queries of the code graph in SQL."""
