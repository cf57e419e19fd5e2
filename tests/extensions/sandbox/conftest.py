"""The fixtures of the breakout tests of all workspaces."""

from tests.aci.workspaces.breakout.conftest import isolated_kind, open_isolated, ws

__all__ = ["isolated_kind", "open_isolated", "ws"]
