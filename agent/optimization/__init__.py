"""Optimization of a function: workload, benchmark of candidates, report."""
