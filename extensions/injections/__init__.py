"""Prompt injections: reports texts of a finished run that try to instruct the agent."""

PLUGINS = {"aci.proof.prompt_injection": "prompt_injection"}
