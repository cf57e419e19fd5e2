"""The input of a subcommand: issue, repository, patch and failed CI."""
