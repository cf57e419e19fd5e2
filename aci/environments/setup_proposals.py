"""Set-up steps from a model, for failures that no rule repairs.

As in AutoDev (arXiv 2403.08299), the model reads the log of a failed build and acts on the environment. Here it sees
only the recipe and the log, and answers with commands that run where the recipe runs: under the same limits, with the
same network access, and with the repository's files put back afterwards.
"""

from __future__ import annotations

import re

MAX_PROPOSALS = 3
"""The maximum number of answers for one set-up."""

MOST_STEPS, LONGEST_STEP = 12, 2_000
_BLOCK = re.compile(r"^```[a-z]*[ \t]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


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
