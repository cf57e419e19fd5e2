"""The subcommand `bench`: a sample of a data set, solved and graded, on one page."""
