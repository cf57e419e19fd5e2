"""The subcommands `fork`, `replay` and `diff`."""
