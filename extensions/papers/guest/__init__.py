"""The interpreter of the tool `python`, which runs in the workspace."""
