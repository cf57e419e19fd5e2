"""The subcommands `optimize` and `count`."""
