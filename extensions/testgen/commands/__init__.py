"""The subcommand `test`."""
