"""Export formats for runs, one module each: found by file name, and imported only when needed."""
