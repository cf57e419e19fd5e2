"""The subcommand `github`."""
