"""Strategies of a session's commands."""
