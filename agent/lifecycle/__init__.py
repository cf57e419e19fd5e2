"""The lifecycle of a run: create, solve, deliver and close it, with its turns and its result."""
