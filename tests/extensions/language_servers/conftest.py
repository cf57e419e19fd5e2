"""The bench for tools."""

from tests.tools.conftest import make_bench

__all__ = ["make_bench"]
