"""The project's server and its pages, in a workspace."""
