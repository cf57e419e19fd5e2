"""Audit: reports where the model of a finished run may have read the fix, and texts that try to instruct it."""

PLUGINS = {"aci.proof.run_audit": "run_audit"}
