"""AGENTS.md and similar files, and skills: what applies to a file, excerpts, and documented commands."""
