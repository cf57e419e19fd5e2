"""The subcommands `experience` and `memory`."""
