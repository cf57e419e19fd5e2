"""The fixture of the tests of tools."""

from tests.tools.conftest import make_bench

__all__ = ["make_bench"]
