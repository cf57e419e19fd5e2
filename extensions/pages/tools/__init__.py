"""The tool `browser`."""
