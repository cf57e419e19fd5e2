"""The tool `session`: interactive programs in a terminal, such as debuggers, REPLs and editors."""

PLUGINS = {"aci.runtime.terminal_programs": "pty_session", "tools": "tools"}
