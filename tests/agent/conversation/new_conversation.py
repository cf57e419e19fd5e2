"""The next request of a conversation that is built anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.conversation.messages import (
    BranchConversation,
    ConversationSettings,
    ModelRequest,
    Pictures,
    Reader,
    Recall,
)
from trajectories.records import Reply, Step


def messages(
    system: str,
    steps: Sequence[Step],
    replies: Mapping[tuple[str, int], Reply],
    reader: Reader,
    limits: Sequence[tuple[int, int]] = (),
    images: Pictures | None = None,
    recall: Recall | None = None,
) -> ModelRequest:
    ask = max((step.reply for step in steps if step.reply is not None), default=0) + 1
    settings = ConversationSettings(system, reader, limits, images or {})
    return BranchConversation(recall).request(ask, settings, steps, replies)
