"""A browser in a workspace: pages of the project's server, seen and used by the model and compared for the proof."""
