"""The user's answer to a multiple-choice question of the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserAnswer:
    """An option or the user's own words; "" if the user did not answer.

    With `is_later`, the question is published when the run ends, and the answer comes in a message.
    """

    text: str = ""
    is_later: bool = False


AskUser = Callable[[str, Sequence[str]], UserAnswer]
"""Function that asks the user a question with options. Raises UsageError if the user may not be asked any more."""
