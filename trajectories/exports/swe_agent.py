"""SWE-agent's `.traj`, as its inspectors and `traj-to-demo` read it.

Each reply is a step with all that it was asked with (`query`); what the strategy, a proof or a user's own hand did in
between is a step without a response. `history` is what was said in the order it was said, `agent` the branch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from trajectories.exports._conversations import Asked, answer, answered, plain
from trajectories.exports._telling import as_command, instance_of, seen, unicode
from trajectories.material import Material, Message
from trajectories.records import Step

WHAT = "SWE-agent's .traj"
SEVERAL = False
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
    for step in run.trajectory.all_steps():
        if step.author != ASKING or step.actions:
            yield comma + json.dumps(_step(step, requests.of(step)))
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

    def of(self, step: Step) -> Asked | None:
        if step.reply is None:
            return None
        if step.branch not in self._branches:
            self._branches[step.branch] = answered(self._run, step.branch)
        for asked in self._branches[step.branch]:
            if asked.reply.ask == step.reply:
                return asked
        return None


def _step(step: Step, asked: Asked | None) -> Told:
    reply = asked.reply if asked else None
    said = reply.text if reply else ""
    thinking = {"reasoning": reply.reasoning} if reply and reply.reasoning else {}
    return {
        "action": _action(step),
        "observation": seen(step.observations),
        "response": said,
        "thought": said,
        "state": {"tree": step.tree} if step.tree else {},
        "execution_time": max(0.0, round(step.at - reply.at, 3)) if reply else 0.0,
        "query": [*map(plain, asked.messages)] if asked else [],
        "extra_info": {"step": step.id, "author": step.author, **thinking},
    }


def _action(step: Step) -> str:
    return "\n".join(map(as_command, step.actions))


def _history(run: Material, prompt: str) -> Iterator[Told]:
    if prompt:
        yield {"role": "system", "content": prompt, "agent": "main", "message_type": "system_prompt"}
    replies = run.trajectory.replies
    taken: dict[str, set[str]] = {}
    for step in run.trajectory.all_steps():
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
        handed_in = "submitted" if exit.verdict.verified else f"submitted ({exit.kind})"
        info["exit_status"] = handed_in if submission else exit.kind
    return info | {"swe_agent_version": f"swe-agent {first.versions.get('swe-agent', '')}".strip() if first else ""}
