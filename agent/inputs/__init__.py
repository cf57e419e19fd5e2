"""The input of a subcommand: issue, repository, patch, proof bundle and failed CI."""
