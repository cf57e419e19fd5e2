"""OpenAI's chat format for fine-tuning: one conversation per line, each reply right after its own request.

If a conversation was rewritten (old output shortened, steps undone), a new line starts. In the new line, replies that
also occur in an earlier line have `weight` 0, so that each reply is trained on only once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from extensions.lab.training.conversations import RequestReply, conversations
from trajectories.errors import UsageError
from trajectories.outside_calls import offered_tools
from trajectories.trajectory import Message, RunView

WHAT = "OpenAI's chat format for fine-tuning, one conversation per line, as the model saw it"
ENDING = "jsonl"
SEVERAL = True


def export(runs: Sequence[RunView]) -> Iterator[str]:
    """Yield one line per conversation. Raises UsageError if no model was called, or if the requests are unknown."""
    has_rows = False
    for run in runs:
        tools = offered_tools(run.trajectory)
        for asked, known in conversations(run):
            has_rows = True
            yield json.dumps({"messages": _weighed(asked, known)} | ({"tools": tools} if tools else {})) + "\n"
    if not has_rows and any(run.trajectory.replies for run in runs):
        raise UsageError("The requests to the model are unknown in these trajectories.", "Export them as atif.")
    if not has_rows:
        raise UsageError("No model was called in these runs.", "Export a run with a model.")


def _weighed(asked: RequestReply, known: int) -> list[Message]:
    return [
        message | {"weight": 0} if number < known and message["role"] == "assistant" else message
        for number, message in enumerate(asked.whole)
    ]
