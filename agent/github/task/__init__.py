"""Data that the Action's jobs pass on: trigger, subject, requester, task, result; and the repository's AI policy."""
