"""The event stream of runs, for programs."""
