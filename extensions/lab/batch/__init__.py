"""Batches: many instances solved by several workers, with a shared budget, executors, results and reports."""
