"""The subcommand `gitlab`."""
