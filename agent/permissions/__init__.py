"""Permissions for commands, edits and hosts: rules, decisions, approvals and the shell parser."""
