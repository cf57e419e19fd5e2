"""The input of a subcommand: issue, repository and patch."""
