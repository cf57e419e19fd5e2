"""Pages of a project without and with a patch, compared: what a patch changes for users without being asked to."""
