"""Whether the workspace `sandbox`, which is in an extension, can be used on this machine."""

from __future__ import annotations

from typing import Any

from trajectories.errors import SweAgentError, UsageError
from trajectories.plugins import extension_module

SANDBOX = "aci.runtime.sandbox_availability"
"""The kind of the extension's module for it."""


def sandbox_module() -> Any:
    """Return the extension's module. Raises UsageError if it is not installed."""
    return extension_module(SANDBOX, "The workspace `sandbox`", "sandbox")


def sandbox_error() -> SweAgentError | None:
    """Start an empty sandbox; return why that is impossible, or None if it works."""
    try:
        module = sandbox_module()
    except UsageError as error:
        return error
    found: SweAgentError | None = module.sandbox_error()
    return found
