"""Guest programs that run tests on thousands of edits, and observe what tests do."""
