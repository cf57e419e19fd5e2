"""OpenAI's chat form for fine-tuning: a conversation a line, each reply behind just what it was asked with.

Where a conversation was rewritten (old output made short, steps taken back), a new line begins: in it the replies that
stand in an earlier line have `weight` 0, so that each is learned once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from trajectories.errors import UsageError
from trajectories.exports._conversations import Asked, conversations
from trajectories.material import Material, Message

WHAT = "OpenAI's chat form for fine-tuning, a conversation a line, as it was sent"
ENDING = "jsonl"
SEVERAL = True


def export(runs: Sequence[Material]) -> Iterator[str]:
    """Raises UsageError where no model was asked anything, or nobody knows what."""
    told = False
    for run in runs:
        tools = list(run.trajectory.run.tools) if run.trajectory.run else []
        for asked, known in conversations(run):
            told = True
            yield json.dumps({"messages": _weighed(asked, known)} | ({"tools": tools} if tools else {})) + "\n"
    if not told and any(run.trajectory.replies for run in runs):
        raise UsageError("What a model was sent is not known of what is to be exported.", "Export it as atif.")
    if not told:
        raise UsageError("No model was asked anything in what is to be exported.", "Export a run that asked one.")


def _weighed(asked: Asked, known: int) -> list[Message]:
    return [
        message | {"weight": 0} if number < known and message["role"] == "assistant" else message
        for number, message in enumerate(asked.whole)
    ]
