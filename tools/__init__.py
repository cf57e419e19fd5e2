"""The agent's tools, each in a module with one typed function."""
