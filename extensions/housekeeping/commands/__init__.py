"""The subcommands `doctor` and `gc`."""
