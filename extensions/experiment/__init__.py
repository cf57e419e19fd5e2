"""Experiments on patches: runs edits of Python code against tests in one process, and varies the calls of tests."""

PLUGINS = {"aci.guest": "guest", "aci.proof.experiments": "patch_experiment"}
