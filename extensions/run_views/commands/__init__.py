"""The subcommands `runs` and `show`."""
