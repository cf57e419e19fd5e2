"""The event stream of `--events`: records of runs and progress as JSON lines, for programs."""

PLUGINS = {"agent.cli.event_stream": "event_stream"}
