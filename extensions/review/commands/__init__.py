"""The subcommand `review`."""
