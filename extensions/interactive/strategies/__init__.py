"""Strategies of a session's turns besides `build`: plans, commands by hand, undo, compaction, commit messages."""
