"""Writing tests without a model: what a module offers, arguments for it, a search, and a file of tests."""
