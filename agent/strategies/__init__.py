"""Strategies: one module each with `solve(task)`, based on the one loop, and prompts beside it."""
