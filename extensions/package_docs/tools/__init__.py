"""The tool `docs`."""
