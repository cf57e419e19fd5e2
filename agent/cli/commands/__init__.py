"""The subcommands, one per file. Each defines `command(...)`; the first line of the module docstring is its summary."""
