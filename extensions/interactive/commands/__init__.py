"""The subcommands `session` and `acp`."""
