"""The display of a run on a plain terminal, and as JSON."""
