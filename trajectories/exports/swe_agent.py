"""SWE-agent's `.traj`, as its inspectors and `traj-to-demo` read it.

Each reply is a step with all that it was asked with (`query`); what the strategy, a proof or a user's own hand did in
between is a step without a response. `history` is what was said in the order it was said, `agent` the branch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from trajectories.exports._conversations import Asked, answer, answered, plain
from trajectories.exports._telling import as_command, instance_of, seen, steps_of, unicode
from trajectories.material import Material, Message
from trajectories.records import Reply, Step

WHAT = "SWE-agent's .traj"
ENDING = "traj"
SEVERAL = False
QUERIES = 64_000_000
"""Characters of all queries that a file tells: each holds the ones before it, so they grow with a run's square."""
ASKING = "task"
"""Author of what a strategy says to its model, which is in the history alone."""

Told = dict[str, Any]


def export(runs: Sequence[Material]) -> Iterator[str]:
    """One JSON object, a step a line."""
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
    """What each step was asked with. Branches take steps in turn, so each is read as far as it is needed."""

    def __init__(self, run: Material) -> None:
        self._run = run
        self._branches: dict[str, Iterator[Asked]] = {}
        self._room = QUERIES

    def of(self, step: Step) -> list[Message] | None:
        """None where there is no room for it any more."""
        if self._room < 0:
            return None
        query = [*map(plain, asked.messages)] if (asked := self._asked(step)) else []
        self._room -= len(json.dumps(query))
        return query if self._room >= 0 else None

    def _asked(self, step: Step) -> Asked | None:
        if step.branch not in self._branches:
            self._branches[step.branch] = answered(self._run, step.branch)
        for asked in self._branches[step.branch]:
            if asked.reply.ask == step.reply:
                return asked
        return None


def _step(step: Step, reply: Reply | None, requests: _Requests) -> Told:
    query = requests.of(step) if reply else []
    cut = {"query": "left out, as the queries before are long enough"} if query is None else {}
    said = reply.text if reply else ""
    thinking = {"reasoning": reply.reasoning} if reply and reply.reasoning else {}
    return {
        "action": _action(step),
        "observation": seen(step.observations),
        "response": said,
        "thought": said,
        "state": {"tree": step.tree} if step.tree else {},
        "execution_time": max(0.0, round(step.at - reply.at, 3)) if reply else 0.0,
        "query": query or [],
        "extra_info": {"step": step.id, "author": step.author, **thinking, **cut},
    }


def _action(step: Step) -> str:
    return "\n".join(map(as_command, step.actions))


def _history(run: Material, prompt: str) -> Iterator[Told]:
    if prompt:
        yield {"role": "system", "content": prompt, "agent": "main", "message_type": "system_prompt"}
    replies = run.trajectory.replies
    taken: dict[str, set[str]] = {}
    for step in steps_of(run.trajectory):
        where = {"agent": step.branch}
        reply = replies.get((step.branch, step.reply)) if step.reply is not None else None
        if reply is None:
            words = "\n".join(filter(None, [_action(step), seen(step.observations)]))
            yield {"role": "user", "content": words, **where, "message_type": "observation"}
            continue
        said = answer(reply, taken.setdefault(step.branch, set()))
        action = {"thought": reply.text, "action": _action(step), "message_type": "action"}
        yield said | where | action
        yield from _answers(step, said, where)


def _answers(step: Step, said: Message, where: Told) -> Iterator[Told]:
    calls = said.get("tool_calls", ())
    for number, each in enumerate(step.observations):
        item = {"content": each.text, **where, "message_type": "observation"}
        if number < len(calls):
            yield item | {"role": "tool", "tool_call_ids": [calls[number]["id"]]}
        else:
            yield item | {"role": "user"}


def _info(run: Material) -> Told:
    exit, spent, first = run.trajectory.exit, run.spent, run.trajectory.run
    submission = unicode(run.patch().diff)
    stats: Told = {"tokens_sent": spent.input_tokens, "tokens_received": spent.output_tokens, "api_calls": spent.calls}
    if spent.dollars is not None:
        stats["instance_cost"] = spent.dollars
    info: Told = {"exit_status": None, "submission": submission or None, "model_stats": stats}
    if exit is not None:
        proven = exit.verdict.verified and not run.untrusted
        handed_in = "submitted" if proven else f"submitted ({'claimed: ' * run.untrusted}{exit.kind})"
        info["exit_status"] = handed_in if submission else exit.kind
    return info | {"swe_agent_version": f"swe-agent {first.versions.get('swe-agent', '')}".strip() if first else ""}
