"""Views of runs on disk: the list, with filters and search, the transcript, and the live output of a running one."""

PLUGINS = {"agent.cli.commands": "commands"}
