"""Programs that are copied into a workspace and run with the target's Python: standard library only, 3.6 and later."""
