"""Many instances at once: what is solved, where it runs, what it may cost, what is left on disk."""
