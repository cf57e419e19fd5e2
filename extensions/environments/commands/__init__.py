"""The subcommand of the extension."""
