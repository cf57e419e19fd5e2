"""Files copied into a workspace that run under the target's Python: standard library only, 3.6 and later."""
