"""The command line: its subcommands, and the options, settings and output that they share."""
