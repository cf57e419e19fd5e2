"""Candidates for training sets: groups of answers to one issue on one base, with their rewards and conversations.

A candidate is a run of one turn, or one attempt of a run with several parallel attempts. Runs that say nothing about a
model are excluded: unfinished runs, runs that the user or the machine ended, runs without a model, sessions, replays,
and forks, which start with another run's steps and may have been given more information.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import dropwhile
from typing import Any

from trajectories.exports._conversations import conversations, reply_message, requests_with_replies
from trajectories.records import PROVEN, Reply, Run, Step
from trajectories.rewards import MISSING_ENTITY, UNFORMATTED, WRONG, rewards
from trajectories.run_comparison import replay_of
from trajectories.trajectory import Message, RunView, observation_message

TRIED = (*sorted(PROVEN), "unproven", "not_found", "budget", "limit", "stuck")
"""Kinds of exit for which the model is responsible."""
AS_GOOD = 1.05
"""Maximum ratio of the costs of two candidates that count as equally good."""
JUDGED = re.compile(r"(?:baseline (?P<before>\S.*)|judge (?P<after>\S.*) [0-9a-f]{40})$")
"""Pattern for the keys of recorded results that contain a function's cost in a tree."""
FOLDERS = ("root", "scratch")
"""Keys of recorded results that contain workspace paths; these paths are ignored when initial messages are compared."""


@dataclass(frozen=True)
class Candidate:
    """One answer to an issue. `branches` are the branches with replies, oldest first; `tree` is the final tree.

    `tokens` is 0 unless the provider reported the tokens of every reply. `instructions` is the number of instructions
    that the rewritten functions execute, as counted by `backend`; 0 if nothing was counted.
    """

    run: RunView
    record: Run
    branches: tuple[str, ...]
    proven: bool
    tree: str
    tokens: int
    steps: int
    instructions: int = 0
    backend: str = ""

    @property
    def group(self) -> str:
        """A key shared by all candidates for one issue on one base."""
        issue, base = self.record.issue, self.record.base
        return sha256("\0".join([issue.title, issue.body, base.tree]).encode("utf-8", "replace")).hexdigest()[:12]

    @property
    def changed(self) -> bool:
        return self.tree not in ("", self.record.base.tree)

    @property
    def about(self) -> dict[str, Any]:
        """Columns that identify the candidate; trainers ignore them."""
        return {"run": self.run.name, "branch": self.branches[0], "group": self.group, "issue": self.record.issue.title}


def candidate_groups(runs: Sequence[RunView]) -> list[list[Candidate]]:
    """Group candidates by issue and base, in the order given; duplicate runs count once. Runs made by someone else are
    excluded, because their verdicts cannot be trusted."""
    own = [run for run in runs if not run.untrusted]
    once = {(record.id, record.at): run for run in own if (record := run.trajectory.run)}
    found: dict[str, list[Candidate]] = {}
    for run in once.values():
        for candidate in candidates(run):
            found.setdefault(candidate.group, []).append(candidate)
    return list(found.values())


def same_prompt_groups(group: Sequence[Candidate]) -> list[list[Candidate]]:
    """Split a group into candidates that started with the same messages and tools."""
    found: dict[tuple[str, str], list[Candidate]] = {}
    for candidate in group:
        found.setdefault((tools(candidate), _opening(candidate)), []).append(candidate)
    return list(found.values())


def candidates(run: RunView) -> list[Candidate]:
    """Return the candidates of a run: its attempts, or the run itself; empty if the model is not responsible for the
    result."""
    trajectory = run.trajectory
    end = trajectory.exit
    if trajectory.run is None or end is None or len(trajectory.turns) > 1 or replay_of(trajectory):
        return []
    if any(note.kind == "forked" for note in trajectory.notes):
        return []
    asked = list(dict.fromkeys(branch for branch, _ in trajectory.replies))
    outcomes = {branch: once.value for (branch, name), once in trajectory.results.items() if name == "outcome"}
    if not outcomes:
        return _candidate(run, asked, end.verdict.kind, end.tree) if end.kind in TRIED else []
    found = []
    for branch, outcome in outcomes.items():
        under = [each for each in asked if each == branch or each.startswith(f"{branch}/")]
        kind = outcome["verdict"]["kind"]
        if kind in PROVEN or (outcome["exit"] or "unproven") in TRIED:
            found += _candidate(run, under, kind, outcome["tree"])
    return found


def _candidate(run: RunView, branches: Sequence[str], verdict: str, tree: str) -> list[Candidate]:
    trajectory = run.trajectory
    if not branches or trajectory.run is None:
        return []
    usages = [reply.usage for (branch, _), reply in trajectory.replies.items() if branch in branches]
    known = [usage.input_tokens + usage.output_tokens for usage in usages if usage]
    tokens = sum(known) if len(known) == len(usages) else 0
    steps = sum(len(trajectory.steps[branch]) for branch in branches)
    left = [
        step.tree for step in reversed(trajectory.steps[branches[0]]) if step.author == trajectory.turns[0].strategy
    ]
    counted = _counted(run, [tree, *left, trajectory.run.base.tree])
    return [Candidate(run, trajectory.run, tuple(branches), verdict in PROVEN, tree, tokens, steps, *counted)]


def _counted(run: RunView, left: Sequence[str]) -> tuple[int, str]:
    """Return the total cost of the functions whose cost was counted, and the counter's name. The cost of each function
    is taken from the latest tree that has a recorded cost for it. Return (0, "") if several counters were used or the
    cost of a function is missing."""
    costs: dict[str, dict[str, int]] = {}
    backends = set()
    for (_, name), once in run.trajectory.results.items():
        found = JUDGED.search(name)
        if found and isinstance(once.value, dict) and once.value.get("status") == "right":
            costs.setdefault(found["before"] or found["after"], {})[once.value["tree"]] = once.value["cost"]
            backends.add(once.value["backend"])
    if len(backends) != 1 or not all(set(known) & set(left) for known in costs.values()):
        return 0, ""
    return sum(next(known[tree] for tree in left if tree in known) for known in costs.values()), backends.pop()


# Costs and rewards


def costs(group: Sequence[Candidate]) -> tuple[str, list[int]]:
    """Return the unit by which candidates are compared, and the cost of each: instructions if one counter counted all
    of them, otherwise tokens, otherwise steps."""
    if all(each.instructions for each in group) and len({each.backend for each in group}) == 1:
        return "instructions", [each.instructions for each in group]
    if all(each.tokens for each in group):
        return "tokens", [each.tokens for each in group]
    return "steps", [each.steps for each in group]


def by_cost(group: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates, cheapest first."""
    _, taken = costs(group)
    return [group[place] for place in sorted(range(len(group)), key=lambda place: taken[place])]


def candidate_rewards(group: Sequence[Candidate]) -> list[float]:
    """Return the reward of each candidate: based on its cost if it is proven, otherwise on its progress."""
    proven = [each for each in group if each.proven]
    earned = iter(rewards(costs(proven)[1]))
    return [next(earned) if each.proven else _failed(each) for each in group]


def _failed(candidate: Candidate) -> float:
    if candidate.changed:
        return WRONG
    replies = candidate.run.trajectory.replies
    actions = [a for (branch, _), reply in replies.items() if branch in candidate.branches for a in reply.actions]
    return MISSING_ENTITY if any(not action.error for action in actions) else UNFORMATTED


# Prompts and completions


def conversation_parts(candidate: Candidate) -> Iterator[tuple[list[Message], list[Message]]]:
    """Yield pairs of prompt and completion; together they contain each reply once, directly after its request. A new
    pair starts where the conversation was rewritten."""
    for asked, known in conversations(candidate.run):
        if asked.reply.branch in candidate.branches:
            yield _cut([_trainable(message) for message in asked.whole], known)


def full_conversation(candidate: Candidate) -> tuple[list[Message], list[Message]]:
    """Return the initial messages, and all messages from the first reply to the last. Outputs are in their original
    form, and steps that were undone later are included. A reply whose actions never ran is left out, because no later
    request contained it."""
    run, branch = candidate.run.trajectory, candidate.branches[0]
    opening, acted, last = _first_request(candidate), _model_steps(candidate), run.last_replies[branch]
    messages: list[Message] = []
    taken: set[str] = set()
    for step in acted:
        if step.reply == last.ask:
            break
        messages += (
            _exchange(step, run.replies[branch, step.reply], taken) if step.reply is not None else [_words(step)]
        )
    return opening, [_trainable(message) for message in [*messages, reply_message(last, taken)]]


def _first_request(candidate: Candidate) -> list[Message]:
    """Return the messages of the request that led to the candidate's first reply."""
    branch, acted = candidate.branches[0], _model_steps(candidate)
    first = acted[0].reply if acted else candidate.run.trajectory.last_replies[branch].ask
    return next(
        [_trainable(message) for message in asked.messages]
        for asked in requests_with_replies(candidate.run, branch)
        if asked.reply.ask == first
    )


def _opening(candidate: Candidate) -> str:
    text = json.dumps(_first_request(candidate))
    results = candidate.run.trajectory.results
    for name in FOLDERS:
        if once := results.get((candidate.branches[0], name)):
            text = text.replace(json.dumps(once.value)[1:-1], f"[{name}]")
    return text


def _model_steps(candidate: Candidate) -> list[Step]:
    """Return the candidate's steps, starting with the model's first step."""
    return list(dropwhile(lambda step: step.reply is None, candidate.run.trajectory.steps[candidate.branches[0]]))


def _exchange(step: Step, reply: Reply, taken: set[str]) -> list[Message]:
    """Return the messages for a reply and for the result of each of its tool calls."""
    message = reply_message(reply, taken)
    calls = message.get("tool_calls")
    if not calls:
        return [message, _words(step)] if step.observations else [message]
    answers = (observation.text for observation in step.observations)
    return [message, *({"role": "tool", "tool_call_id": call["id"], "content": next(answers, "")} for call in calls)]


def _words(step: Step) -> Message:
    return {"role": "user", "content": observation_message(step)}


def _cut(messages: list[Message], known: int) -> tuple[list[Message], list[Message]]:
    """Split messages before the first reply at index `known` or later."""
    at = next(at for at, message in enumerate(messages) if at >= known and message["role"] == "assistant")
    return messages[:at], messages[at:]


def _trainable(message: Message) -> Message:
    """Return a message that contains only text, with the arguments of tool calls as objects, because chat templates
    format them for their model."""
    kept: Message = {key: message[key] for key in ("role", "tool_call_id") if key in message}
    kept["content"] = _text(message.get("content"))
    if calls := message.get("tool_calls"):
        kept["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": _arguments(call["function"]["arguments"])}}
            for call in calls
        ]
    return kept


def _arguments(text: str) -> Any:
    """Parse arguments; numbers that JSON does not allow become text."""
    return json.loads(text, parse_constant=str)


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part["text"] if part.get("type") == "text" else "[picture]" for part in content)
    return content or ""


def tools(candidate: Candidate) -> str:
    """Return the tools' schemas as JSON text, which trainers accept. As objects in a table, each tool would get the
    fields of all other tools."""
    return json.dumps(candidate.record.tools)


def as_line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"
