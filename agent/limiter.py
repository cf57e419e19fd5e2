"""When requests may leave. All runs of a process share one: a provider that says "too many" slows all who ask it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event


class Limiter:
    """Lets every request leave at once."""

    @contextmanager
    def turn(self, model: str, cancel: Event) -> Iterator[None]:
        """One request of `model`: begins when it may leave. Raises Cancelled while it waits."""
        yield

    def slow(self, model: str, seconds: float | None) -> None:
        """The provider has refused a request as one too many, and asks for `seconds` of pause, or does not say."""
