"""The tool `docs`: signature, docstring, source and changelog of a dependency that is installed in the environment."""

PLUGINS = {"aci.guest": "guest", "tools": "tools"}
