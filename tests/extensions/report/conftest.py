"""The fixtures of the records' tests that those of reports use."""

from tests.trajectories.conftest import trees

__all__ = ["trees"]
