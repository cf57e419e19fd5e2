"""The tool `delegate`."""
