"""Executors, which run the jobs of a batch: one module each."""
