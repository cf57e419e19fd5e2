"""The user's machine, a container, and things of the host that a hostile set-up must not reach."""

from __future__ import annotations

import pytest

from tests.aci.workspaces.breakout.conftest import listener, marker, open_container
from tests.e2e.conftest import calculator, issue_file, machine

__all__ = ["calculator", "issue_file", "listener", "machine", "marker", "open_container"]


@pytest.fixture(autouse=True)
def no_set_up() -> None:
    """Let tests set up environments, unlike those of the core."""
