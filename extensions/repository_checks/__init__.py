"""The repository's own checks: runs its linters, type checkers and formatters on the files that a patch changes."""

PLUGINS = {"aci.proof.repository_checks": "repository_checks"}
