"""Preference pairs of a session: a turn that the user undid, and another turn with the same prompt that was applied."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from extensions.lab.training.candidate_messages import trainable
from extensions.lab.training.conversations import RequestReply, requests_with_replies
from trajectories.records import Note, Record, Reply
from trajectories.trajectory import Message, RunView

MAIN = "main"


@dataclass(frozen=True)
class TurnWork:
    """The conversation of one turn. `prompt` is what the model saw before its first reply; `is_applied` says that the
    user applied changes before the next turn."""

    prompt: list[Message]
    completion: list[Message]
    is_applied: bool


@dataclass(frozen=True)
class SessionPair:
    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]


def session_pairs(run: RunView) -> Iterator[SessionPair]:
    """Yield the preference pairs of a session.

    After `/undo`, the conversation is that before the turn. If the user asks the same again, both turns have the same
    prompt: the last of them is preferred to the others if the user applied it.
    """
    alike: dict[str, list[TurnWork]] = {}
    for work in _turns(run):
        alike.setdefault(json.dumps(work.prompt), []).append(work)
    for *undone, last in alike.values():
        if last.is_applied:
            for work in undone:
                if not work.is_applied and work.completion != last.completion:
                    yield SessionPair(last.prompt, last.completion, work.completion)


def _turns(run: RunView) -> Iterator[TurnWork]:
    """Yield the work of each turn in which the model replied in the main conversation."""
    trajectory = run.trajectory
    asked = {each.reply.ask: each for each in requests_with_replies(run, MAIN)}
    ends = [*trajectory.turns_at[1:], len(trajectory.records)]
    for start, end in zip(trajectory.turns_at, ends, strict=True):
        records = trajectory.records[start:end]
        replies = [asked[each.ask] for each in records if isinstance(each, Reply) and each.branch == MAIN]
        if replies and replies[0].messages:
            applied = any(_is_apply(each) for each in records)
            prompt = [trainable(message) for message in replies[0].messages]
            yield TurnWork(prompt, _completion(replies), applied)


def _completion(replies: Sequence[RequestReply]) -> list[Message]:
    """Return the messages from the turn's first reply to its last."""
    whole = [trainable(message) for message in replies[-1].whole]
    first = len(replies[0].messages)
    return whole[first:]


def _is_apply(record: Record) -> bool:
    """Return whether a record says that changes were applied to the user's files, and not only taken back."""
    if not isinstance(record, Note) or record.kind != "done" or record.data.get("failed"):
        return False
    return str(record.data.get("effect", "")).startswith("apply ") and not {"back", "partly"} & record.data.keys()
