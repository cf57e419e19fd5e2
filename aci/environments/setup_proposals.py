"""Set-up steps from a model, for failures that no rule repairs.

As in AutoDev (arXiv 2403.08299), the model reads the log of a failed build and acts on the environment. Here it sees
only the recipe and the log, and answers with commands that run where the recipe runs: under the same limits, with the
same network access, and with the repository's files put back afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

MAX_PROPOSALS = 3
"""The maximum number of answers for one set-up."""

MOST_STEPS, LONGEST_STEP = 12, 2_000
_BLOCK = re.compile(r"^```[a-z]*[ \t]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


SetupPlaceKind = Literal["container", "sandbox", "local"]
"""Where set-up runs: in a container of the plan's image, or in a sandbox or without isolation on this machine."""


@dataclass(frozen=True, slots=True)
class FailedSetup:
    """A set-up that no rule repairs: the commands that succeeded, in order, those that failed, and the last of these
    with its output, which is untrusted. `place` is where they ran."""

    image: str
    language: str
    succeeded: tuple[str, ...]
    failed: tuple[str, ...]
    command: str
    log: str
    place: SetupPlaceKind = "container"


ProposeSteps = Callable[[FailedSetup], Sequence[str]]
"""Function that returns commands to run instead of the failed one, or none. It may raise Stop."""


def parse_steps(answer: str) -> tuple[str, ...]:
    """Return the commands in the only fenced block of an answer, one for each line; none if the block has too many or
    unprintable ones."""
    blocks = _BLOCK.findall(answer)
    if len(blocks) != 1:
        return ()
    lines = [line.strip() for line in blocks[0].replace("\\\n", " ").splitlines()]
    steps = tuple(line for line in lines if line and not line.startswith("#"))
    is_usable = len(steps) <= MOST_STEPS and all(len(each) <= LONGEST_STEP and each.isprintable() for each in steps)
    return steps if is_usable else ()
