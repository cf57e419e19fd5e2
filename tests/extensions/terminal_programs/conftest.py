"""Fixtures of the tests of tools and workspaces."""

from tests.aci.workspaces.conformance.conftest import kind, shared
from tests.agent.conftest import bench
from tests.tools.conftest import make_bench

__all__ = ["bench", "kind", "make_bench", "shared"]
