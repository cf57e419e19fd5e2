"""The fixtures of the core's tests that those of extensions use."""

from tests.aci.conftest import prove_patch
from tests.agent.conftest import bench, no_set_up, talk
from tests.agent.strategies.conftest import run_strategy

__all__ = ["bench", "no_set_up", "prove_patch", "run_strategy", "talk"]
