"""Commit history before the base: an index, search, and the files and functions that each commit changed."""
