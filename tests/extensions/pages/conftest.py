"""The bench for tools, and the user's machine."""

from tests.e2e.conftest import machine
from tests.tools.conftest import make_bench

__all__ = ["machine", "make_bench"]
