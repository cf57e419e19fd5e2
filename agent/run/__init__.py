"""One subcommand a file: `command(...)` is its function, the first line of the docstring its summary."""
