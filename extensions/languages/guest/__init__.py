"""Reporters for test runners of Node and Ruby, which are loaded by the runners in the workspace."""
