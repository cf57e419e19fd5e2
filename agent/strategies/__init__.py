"""Strategies: one module each, with a function `solve(task)` built on the shared loop, and its prompts in the same
folder."""
