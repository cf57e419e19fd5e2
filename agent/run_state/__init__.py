"""The state of a run as its records show it: trees of turns, merge base, undo and outcomes."""
