"""Pages of a project without and with a patch, compared: what a patch changes for users that nobody asked for."""
