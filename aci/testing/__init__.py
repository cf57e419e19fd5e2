"""Running a repository's tests and reading each test's result."""
