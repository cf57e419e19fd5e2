"""Executors, which validate candidates: one module each."""
