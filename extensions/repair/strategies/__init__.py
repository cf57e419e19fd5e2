"""The strategy `templates`."""
