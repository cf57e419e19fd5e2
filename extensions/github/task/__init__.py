"""Data that the Action's jobs exchange: trigger, subject, requester, task, result; and the repository's AI policy."""
