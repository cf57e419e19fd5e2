"""Export in SWE-agent's `.traj` format, for its inspectors and `traj-to-demo`.

Each reply is a step with its complete request (`query`). Actions of the strategy, a proof or the user between replies
are steps without a response. `history` contains all messages in order; the `agent` of a message is its branch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from extensions.lab.exports._record_text import as_command, instance_of, observation_text, steps_of, unicode
from extensions.lab.training.conversations import (
    RequestReply,
    reply_message,
    requests_with_replies,
    without_provider_fields,
)
from trajectories.records import Reply, Step
from trajectories.trajectory import Message, RunView

WHAT = "SWE-agent's .traj"
ENDING = "traj"
SEVERAL = False
QUERIES = 64_000_000
"""Maximum number of characters of all queries in a file: each query contains the previous ones, so their total size
grows with the square of a run's length."""
ASKING = "task"
"""Author of the messages that a strategy sends to its model; they occur only in the history."""

Json = dict[str, Any]


def export(runs: Sequence[RunView]) -> Iterator[str]:
    """Yield one JSON object in parts, with one step per line."""
    (run,) = runs
    first = run.trajectory.run
    about = {"environment": instance_of(run), "replay_config": None, "info": _info(run)}
    yield json.dumps(about)[:-1] + ', "trajectory": [\n'
    requests = _Requests(run)
    comma = ""
    for step in steps_of(run.trajectory):
        if step.author != ASKING or step.actions:
            yield comma + json.dumps(_step(step, run.trajectory.replies.get((step.branch, step.reply or 0)), requests))
            comma = ",\n"
    yield '\n], "history": [\n'
    comma = ""
    prompt = first.prompts.get("coder", "") if first else ""
    for item in _history(run, prompt):
        yield comma + json.dumps(item)
        comma = ",\n"
    yield "\n]}\n"


class _Requests:
    """The requests of a run, by step. Steps of several branches alternate, so the requests of each branch are read only
    as far as needed."""

    def __init__(self, run: RunView) -> None:
        self._run = run
        self._branches: dict[str, Iterator[RequestReply]] = {}
        self._room = QUERIES

    def of(self, step: Step) -> list[Message] | None:
        """Return the request of a step, or None if the limit for all queries is reached."""
        if self._room < 0:
            return None
        query = [*map(without_provider_fields, asked.messages)] if (asked := self._asked(step)) else []
        self._room -= len(json.dumps(query))
        return query if self._room >= 0 else None

    def _asked(self, step: Step) -> RequestReply | None:
        if step.branch not in self._branches:
            self._branches[step.branch] = requests_with_replies(self._run, step.branch)
        for asked in self._branches[step.branch]:
            if asked.reply.ask == step.reply:
                return asked
        return None


def _step(step: Step, reply: Reply | None, requests: _Requests) -> Json:
    query = requests.of(step) if reply else []
    cut = {"query": "omitted: the queries reached the size limit"} if query is None else {}
    text = reply.text if reply else ""
    thinking = {"reasoning": reply.reasoning} if reply and reply.reasoning else {}
    return {
        "action": _action(step),
        "observation": observation_text(step.observations),
        "response": text,
        "thought": text,
        "state": {"tree": step.tree} if step.tree else {},
        "execution_time": max(0.0, round(step.at - reply.at, 3)) if reply else 0.0,
        "query": query or [],
        "extra_info": {"step": step.id, "author": step.author, **thinking, **cut},
    }


def _action(step: Step) -> str:
    return "\n".join(map(as_command, step.actions))


def _history(run: RunView, prompt: str) -> Iterator[Json]:
    if prompt:
        yield {"role": "system", "content": prompt, "agent": "main", "message_type": "system_prompt"}
    replies = run.trajectory.replies
    taken: dict[str, set[str]] = {}
    for step in steps_of(run.trajectory):
        where = {"agent": step.branch}
        reply = replies.get((step.branch, step.reply)) if step.reply is not None else None
        if reply is None:
            words = "\n".join(filter(None, [_action(step), observation_text(step.observations)]))
            yield {"role": "user", "content": words, **where, "message_type": "observation"}
            continue
        message = reply_message(reply, taken.setdefault(step.branch, set()))
        action = {"thought": reply.text, "action": _action(step), "message_type": "action"}
        yield message | where | action
        yield from _answers(step, message, where)


def _answers(step: Step, message: Message, where: Json) -> Iterator[Json]:
    calls = message.get("tool_calls", ())
    for number, each in enumerate(step.observations):
        item = {"content": each.text, **where, "message_type": "observation"}
        if number < len(calls):
            yield item | {"role": "tool", "tool_call_ids": [calls[number]["id"]]}
        else:
            yield item | {"role": "user"}


def _info(run: RunView) -> Json:
    exit, spent, first = run.trajectory.exit, run.spent, run.trajectory.run
    submission = unicode(run.patch().diff)
    stats: Json = {"tokens_sent": spent.input_tokens, "tokens_received": spent.output_tokens, "api_calls": spent.calls}
    if spent.dollars is not None:
        stats["instance_cost"] = spent.dollars
    info: Json = {"exit_status": None, "submission": submission or None, "model_stats": stats}
    if exit is not None:
        proven = exit.verdict.verified and not run.untrusted
        handed_in = "submitted" if proven else f"submitted ({'claimed: ' * run.untrusted}{exit.kind})"
        info["exit_status"] = handed_in if submission else exit.kind
    return info | {"swe_agent_version": f"swe-agent {first.versions.get('swe-agent', '')}".strip() if first else ""}
