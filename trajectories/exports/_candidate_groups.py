"""What training sets are made of: candidates for one issue on one base, what each came to, and its conversation.

A candidate is a run of one turn, or an attempt of a run that made several side by side. Left out is what says nothing
of a model: runs not ended, or ended by the user or the machine, sessions, replays, forks (whose beginning is another
run's, and which may have been told more), runs without a model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import dropwhile
from typing import Any

from trajectories.exports._conversations import answer, answered, conversations
from trajectories.material import Material, Message, told
from trajectories.parting import replay_of
from trajectories.records import PROVEN, Reply, Run, Step
from trajectories.rewards import MISSING_ENTITY, UNFORMATTED, WRONG, rewards

TRIED = (*sorted(PROVEN), "unproven", "not_found", "budget", "limit", "stuck")
"""How a run ends of which a model is the cause."""
AS_GOOD = 1.05
"""What costs so little more is as good."""
JUDGED = re.compile(r"(?:baseline (?P<before>\S.*)|judge (?P<after>\S.*) [0-9a-f]{40})$")
"""Results that tell what a function costs in a tree."""
FOLDERS = ("root", "scratch")
"""Results that name a workspace's folders: in an opening they are no difference."""


@dataclass(frozen=True)
class Candidate:
    """One answer to an issue. `branches` are those with replies, the one that began first; `tree` is its last.

    `tokens` is 0 where a provider did not tell those of each reply. `instructions` are what the rewritten functions
    cost with it, by the counter `backend`; 0 where nothing was counted.
    """

    run: Material
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
        """The same for all candidates for one issue on one base."""
        issue, base = self.record.issue, self.record.base
        return sha256("\0".join([issue.title, issue.body, base.tree]).encode("utf-8", "replace")).hexdigest()[:12]

    @property
    def changed(self) -> bool:
        return self.tree not in ("", self.record.base.tree)

    @property
    def about(self) -> dict[str, Any]:
        """Columns that say what it is; trainers leave them alone."""
        return {"run": self.run.name, "branch": self.branches[0], "group": self.group, "issue": self.record.issue.title}


def groups(runs: Sequence[Material]) -> list[list[Candidate]]:
    """Candidates by issue and base, both in the order given; a run that is given twice counts once. Left out are runs
    that somebody else made: their verdicts are only claims."""
    own = [run for run in runs if not run.untrusted]
    once = {(record.id, record.at): run for run in own if (record := run.trajectory.run)}
    found: dict[str, list[Candidate]] = {}
    for run in once.values():
        for candidate in candidates(run):
            found.setdefault(candidate.group, []).append(candidate)
    return list(found.values())


def told_alike(group: Sequence[Candidate]) -> list[list[Candidate]]:
    """Those of a group that had the same opening and tools: what they did is an answer to the same prompt."""
    found: dict[tuple[str, str], list[Candidate]] = {}
    for candidate in group:
        found.setdefault((tools(candidate), _opening(candidate)), []).append(candidate)
    return list(found.values())


def candidates(run: Material) -> list[Candidate]:
    """What a run tells of: its attempts, else itself; nothing where it is not of a model's doing."""
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


def _candidate(run: Material, branches: Sequence[str], verdict: str, tree: str) -> list[Candidate]:
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


def _counted(run: Material, left: Sequence[str]) -> tuple[int, str]:
    """What the functions cost that were counted, each as the latest of these trees has it, and the counter; none where
    these are several."""
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


# What it is worth


def costs(group: Sequence[Candidate]) -> tuple[str, list[int]]:
    """What candidates are compared by, and how much of it each took: instructions where all were counted by one
    counter, else tokens, else steps."""
    if all(each.instructions for each in group) and len({each.backend for each in group}) == 1:
        return "instructions", [each.instructions for each in group]
    if all(each.tokens for each in group):
        return "tokens", [each.tokens for each in group]
    return "steps", [each.steps for each in group]


def by_cost(group: Sequence[Candidate]) -> list[Candidate]:
    """Cheapest first."""
    _, taken = costs(group)
    return [group[place] for place in sorted(range(len(group)), key=lambda place: taken[place])]


def worth(group: Sequence[Candidate]) -> list[float]:
    """The reward of each: of the proven ones by what they cost, of others by how far they came."""
    proven = [each for each in group if each.proven]
    earned = iter(rewards(costs(proven)[1]))
    return [next(earned) if each.proven else _failed(each) for each in group]


def _failed(candidate: Candidate) -> float:
    if candidate.changed:
        return WRONG
    replies = candidate.run.trajectory.replies
    actions = [a for (branch, _), reply in replies.items() if branch in candidate.branches for a in reply.actions]
    return MISSING_ENTITY if any(not action.error for action in actions) else UNFORMATTED


# What it said


def parts(candidate: Candidate) -> Iterator[tuple[list[Message], list[Message]]]:
    """What was sent and what came of it, each reply once and behind just what it was asked with: a part ends where the
    conversation was rewritten."""
    for asked, known in conversations(candidate.run):
        if asked.reply.branch in candidate.branches:
            yield _cut([_trainable(message) for message in asked.whole], known)


def whole(candidate: Candidate) -> tuple[list[Message], list[Message]]:
    """How it began, and all that was said from the first reply to the last, each output as it was when it was new, also
    where it was taken back later. A reply that was never acted on is left out, as the model did not read it again."""
    run, branch = candidate.run.trajectory, candidate.branches[0]
    begun, acted, last = _begun(candidate), _acted(candidate), run.last_replies[branch]
    said: list[Message] = []
    taken: set[str] = set()
    for step in acted:
        if step.reply == last.ask:
            break
        said += _exchange(step, run.replies[branch, step.reply], taken) if step.reply is not None else [_words(step)]
    return begun, [_trainable(message) for message in [*said, answer(last, taken)]]


def _begun(candidate: Candidate) -> list[Message]:
    """What its first reply was asked with."""
    branch, acted = candidate.branches[0], _acted(candidate)
    first = acted[0].reply if acted else candidate.run.trajectory.last_replies[branch].ask
    return next(
        [_trainable(message) for message in asked.messages]
        for asked in answered(candidate.run, branch)
        if asked.reply.ask == first
    )


def _opening(candidate: Candidate) -> str:
    text = json.dumps(_begun(candidate))
    results = candidate.run.trajectory.results
    for name in FOLDERS:
        if once := results.get((candidate.branches[0], name)):
            text = text.replace(json.dumps(once.value)[1:-1], f"[{name}]")
    return text


def _acted(candidate: Candidate) -> list[Step]:
    """The steps from the model's first on."""
    return list(dropwhile(lambda step: step.reply is None, candidate.run.trajectory.steps[candidate.branches[0]]))


def _exchange(step: Step, reply: Reply, taken: set[str]) -> list[Message]:
    """A reply, and what came of each call."""
    said = answer(reply, taken)
    calls = said.get("tool_calls")
    if not calls:
        return [said, _words(step)] if step.observations else [said]
    answers = (observation.text for observation in step.observations)
    return [said, *({"role": "tool", "tool_call_id": call["id"], "content": next(answers, "")} for call in calls)]


def _words(step: Step) -> Message:
    return {"role": "user", "content": told(step)}


def _cut(said: list[Message], known: int) -> tuple[list[Message], list[Message]]:
    """Before and from the first reply at `known` or later."""
    at = next(at for at, message in enumerate(said) if at >= known and message["role"] == "assistant")
    return said[:at], said[at:]


def _trainable(message: Message) -> Message:
    """With texts only, and arguments as objects: chat templates write them as their models do."""
    kept: Message = {key: message[key] for key in ("role", "tool_call_id") if key in message}
    kept["content"] = _text(message.get("content"))
    if calls := message.get("tool_calls"):
        kept["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": _arguments(call["function"]["arguments"])}}
            for call in calls
        ]
    return kept


def _arguments(text: str) -> Any:
    """Numbers that JSON does not have become text."""
    return json.loads(text, parse_constant=str)


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part["text"] if part.get("type") == "text" else "[picture]" for part in content)
    return content or ""


def tools(candidate: Candidate) -> str:
    """The tools' schemas as JSON text, which trainers read: as objects, a table would give each the others' fields."""
    return json.dumps(candidate.record.tools)


def as_line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"
