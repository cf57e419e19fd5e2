"""Sessions of the terminal, instead of turns without a front end."""

from tests.extensions.interactive.session.conftest import talk

__all__ = ["talk"]
