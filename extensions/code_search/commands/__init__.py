"""The subcommands `locate` and `graph`."""
