"""The commits before the base: their index, search in it, and the files and functions that they changed."""
