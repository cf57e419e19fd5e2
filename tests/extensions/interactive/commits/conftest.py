"""Fixtures of the core's tests on repositories, for commits of a session."""

from tests.aci.repository.conftest import home, trees, user
from tests.aci.repository.test_git_settings import canaries

__all__ = ["canaries", "home", "trees", "user"]
