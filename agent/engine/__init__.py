"""Runs: the loop, tasks, branches, attempts, turns, proof step and delivery."""
