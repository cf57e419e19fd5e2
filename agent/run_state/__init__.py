"""The state of a run, derived from its records: trees of turns, merge base, undo and outcomes."""
