"""The kept conversation of a branch: its requests are those of a conversation that is built anew for each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.conversation.compaction import token_bound
from agent.conversation.messages import BranchConversation, ConversationSettings, ModelRequest, Reader, input_bound
from tests.agent.conversation.new_conversation import messages
from tests.agent.conversation.test_messages import (
    CALLS,
    MODEL,
    READERS,
    Conversation,
    build_conversation,
    long_conversation,
)
from tests.agent.run_state.test_rewind import undo
from trajectories.errors import ModelError
from trajectories.records import Observation

SYSTEM = "You fix issues."
REWINDS = st.dictionaries(st.integers(0, 24), st.tuples(st.booleans(), st.integers(0, 24)), max_size=2)
LIMITS = st.lists(st.tuples(st.integers(1, 26), st.integers(500, 40_000)), max_size=3)


def outcome(build: Any) -> tuple[str, Any, Any]:
    """Return the messages, the answered reply and the bound of a request, or its error."""
    try:
        request: ModelRequest = build()
    except ModelError as error:
        return str(error), None, None
    return json.dumps(request.messages), request.last, request.input_bound()


def add_rewinds(conversation: Conversation, rewinds: dict[int, tuple[bool, int]]) -> None:
    """Add rewinds by the model (an undo in a reply) and by the user at the end of the conversation."""
    for by_model, target in rewinds.values():
        target = min(target, len(conversation.steps))
        if by_model:
            conversation.add_call(undo(target), text="Back.")
        else:
            step = conversation.steps[-1]
            numbered = len(conversation.steps) + 1
            rewound = Observation("Rewound.", data={"rewind": target, "told": True})
            conversation.steps.append(type(step)("main", numbered, "", "undo", "t", None, (), (rewound,), at=0.0))
        conversation.add_message("Go on.", "user")
        conversation.add_call(text="Yes.")


@pytest.mark.slow
@given(CALLS, CALLS, READERS, READERS, LIMITS, REWINDS, st.sets(st.integers(0, 60)))
def test_kept_conversation_sends_what_a_new_one_sends(
    calls: list[Any],
    more: list[Any],
    reader: Reader,
    other: Reader,
    limits: list[tuple[int, int]],
    rewinds: dict[int, tuple[bool, int]],
    lost: set[int],
) -> None:
    """Also after rewinds, for another reader, with a new limit, for repeated requests and for requests not built."""
    conversation = build_conversation(calls)
    add_rewinds(conversation, rewinds)
    for done in build_conversation(more).steps:
        conversation.add_message(done.observations[0].text) if done.reply is None else conversation.add_call(
            *zip(done.actions, done.observations, strict=False), text="m"
        )
    kept = BranchConversation()
    ends = [at for at, step in enumerate(conversation.steps) if step.reply] + [len(conversation.steps)]
    for ask, end in enumerate(ends, 1):
        steps, known = conversation.steps[:end], [limit for limit in limits if limit[0] <= ask]
        for model in [reader] + [other] * (ask in lost) + [reader] * (ask in lost):
            settings = ConversationSettings(SYSTEM, model, known)
            fresh = outcome(lambda: messages(SYSTEM, steps, conversation.replies, model, known))  # noqa: B023
            assert outcome(lambda: kept.request(ask, settings, steps, conversation.replies)) == fresh  # noqa: B023


def test_request_that_is_sent_again_is_not_folded_again() -> None:
    conversation = long_conversation(40)
    kept = BranchConversation()
    reader = Reader(MODEL, cached=0.0)
    first = kept.request(41, ConversationSettings(SYSTEM, reader), conversation.steps, conversation.replies)
    assert kept.request(41, ConversationSettings(SYSTEM, reader), conversation.steps, conversation.replies) is first


def test_conversation_is_built_anew_if_a_request_was_not_answered() -> None:
    conversation = long_conversation(10)
    kept = BranchConversation()
    kept.request(11, ConversationSettings(SYSTEM, Reader(MODEL)), conversation.steps, conversation.replies)
    conversation.add_message("Are you there?", "user")
    request = kept.request(12, ConversationSettings(SYSTEM, Reader(MODEL)), conversation.steps, conversation.replies)
    assert request.messages == conversation.build_request().messages


def test_bounds_of_messages_are_kept_until_a_message_is_folded() -> None:
    conversation = long_conversation(60)
    kept = BranchConversation()
    for ask, end in enumerate([at for at, step in enumerate(conversation.steps) if step.reply], 1):
        settings = ConversationSettings(SYSTEM, Reader(MODEL, window=12_000, cached=0.0))
        request = kept.request(ask, settings, conversation.steps[:end], conversation.replies)
        assert request.token_bounds == [token_bound(message) for message in request.messages]
        assert request.input_bound() == input_bound(request.messages, (), request.last)
