"""The backend of the workspace."""
