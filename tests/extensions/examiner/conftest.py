"""The user's machine."""

from tests.e2e.conftest import calculator, machine

__all__ = ["calculator", "machine"]
