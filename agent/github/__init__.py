"""GitHub: its API, the tasks that its events start, the Action's jobs, and pull requests."""
