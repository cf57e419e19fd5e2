"""Programs of the browser and of the server of a project, which run in the workspace."""
