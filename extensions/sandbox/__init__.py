"""The workspace `sandbox`: bubblewrap on this machine, for users without Docker."""

PLUGINS = {"aci.runtime.sandbox_availability": "availability", "aci.workspaces": "workspaces"}
