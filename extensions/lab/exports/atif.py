"""Harbor's agent trajectory format, ATIF: https://www.harborframework.com/docs/agents/trajectory-format (RFC 0001).

Each branch is exported as a trajectory. Branches that start from it (parallel attempts, and phases with their own
conversation) are embedded in it. A model's reply is an `agent` step. Messages from the user and the strategy are `user`
steps. Actions and messages of the harness (proofs, undone steps) are `system` steps. An action of the user is an
`agent` step with no model call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from extensions.lab.exports._record_text import STRUCTURE, records_of
from trajectories.outcome_words import PART_LABELS
from trajectories.outside_calls import offered_tools
from trajectories.record_text import format_time
from trajectories.records import Action, Exit, Note, Observation, Step, Turn
from trajectories.reply_costs import Costs, costs
from trajectories.trajectory import NOT_CHECKED, RunView, Trajectory, call_id

WHAT = "harbor's agent trajectory format (ATIF)"
ENDING = "json"
SEVERAL = False
VERSION = "ATIF-v1.7"
"""The first ATIF version that has every feature used here: embedded trajectories, and steps without a model call."""
SPOKEN = frozenset({"task", "user"})
"""Authors of steps whose message to the model comes from the user or is sent on the user's behalf."""
ALWAYS = frozenset({"message", "llm_call_count"})
NOTES = "`extra.step` is a step's name in the run, `extra.author` who took it, `extra.tree` the files after it."

Json = dict[str, Any]


@dataclass
class Branch:
    """A branch whose steps are being collected."""

    name: str
    steps: list[Json] = field(default_factory=list)
    children: list[Branch] = field(default_factory=list)
    prompt: str = ""
    ids: set[str] = field(default_factory=set)

    def add(self, step: Json) -> None:
        self.steps.append({"step_id": len(self.steps) + 1} | _without_empty(step))


def export(runs: Sequence[RunView]) -> Iterator[str]:
    """Yield one JSON object in parts, with one step per line."""
    (run,) = runs
    yield from _document(run, _main(run), whole=True)
    yield "\n"


def _document(run: RunView, branch: Branch, whole: bool = False) -> Iterator[str]:
    """Yield the JSON of a branch and of the branches embedded in it. With `whole`, the output includes the fields that
    occur once per run."""
    about: Json = {"schema_version": VERSION, "session_id": run.name, "trajectory_id": branch.name}
    about["agent"] = _agent(run)
    if whole:
        about |= {"notes": NOTES, "final_metrics": _metrics(run), "extra": _extra(run)}
        about["agent"] |= _tools(run.trajectory)
    yield json.dumps(_without_empty(about))[:-1] + ', "steps": [\n'
    for number, step in enumerate(branch.steps):
        yield (",\n" if number else "") + json.dumps(step)
    yield "\n]"
    for number, child in enumerate(branch.children):
        yield ",\n" if number else ', "subagent_trajectories": [\n'
        yield from _document(run, child)
    yield "\n]}" if branch.children else "}"


def _agent(run: RunView) -> Json:
    turns, first = run.trajectory.turns, run.trajectory.run
    versions = first.versions if first else {}
    strategy = turns[-1].strategy if turns else ""
    name = "swe-agent" if run.is_ours else strategy
    models = (reply.model for reply in run.trajectory.replies.values() if reply.model)
    agent = {"name": name, "version": versions.get(name, "unknown"), "model_name": next(models, None)}
    return _without_empty(agent) | {"extra": {"strategy": strategy}}


def _tools(trajectory: Trajectory) -> Json:
    tools = [dict(tool) for tool in offered_tools(trajectory)]
    return {"tool_definitions": tools} if tools else {}


def _extra(material: RunView) -> Json:
    """Return data for which the format has no field: the issue, the exit, and the strategy's notes on its attempts."""
    trajectory = material.trajectory
    run, exit = trajectory.run, trajectory.exit
    structural = (note for note in trajectory.notes if note.kind in STRUCTURE)
    notes = [{"branch": note.branch, "kind": note.kind, "text": note.text} for note in structural]
    about: Json = {"issue": run.issue.title, "url": run.issue.url, "base": run.base.commit} if run else {}
    return _without_empty(about | {"ended": _ended(exit, material.untrusted) if exit else None, "notes": notes})


def _ended(exit: Exit, untrusted: bool) -> Json:
    proof = {part: getattr(exit.verdict, part) for part in PART_LABELS}
    ended = {"kind": exit.kind, "verdict": exit.verdict.kind, **proof, "commands": list(exit.verdict.commands)}
    return ended | ({"claimed": NOT_CHECKED} if untrusted else {})


def _main(run: RunView) -> Branch:
    """Return the main branch with its steps in order; every other branch is a child of the branch that it started
    from."""
    trajectory = run.trajectory
    main = Branch("main")
    branches = {main.name: main}
    paid = costs(run)
    forks = sum(map(_is_fork, trajectory.records))
    prompt = ""
    for record in records_of(trajectory):
        if isinstance(record, Turn):
            prompts = record.prompts or (trajectory.run.prompts if trajectory.run else {})
            prompt = prompts.get("coder", "")
        elif isinstance(record, Step):
            branch = _branch(branches, record)
            if prompt and prompt != branch.prompt:
                branch.prompt = prompt
                branch.add({"source": "system", "message": prompt})
            copied = {"is_copied_context": True} if forks else {}
            branch.add(_step(record, trajectory, paid, branch.ids) | copied)
        forks -= _is_fork(record)
    if not main.steps:
        main.add({"source": "user", "message": trajectory.run.issue.text if trajectory.run else ""})
    return main


def _is_fork(record: object) -> bool:
    return isinstance(record, Note) and record.kind == "forked"


def _branch(branches: dict[str, Branch], step: Step) -> Branch:
    """Return the step's branch. If the branch is new, add a step that refers to it to its parent."""
    if step.branch not in branches:
        above = step.branch.rpartition("/")[0]
        while above and above not in branches:
            above = above.rpartition("/")[0]
        parent = branches[above or "main"]
        branches[step.branch] = Branch(step.branch)
        parent.children.append(branches[step.branch])
        reference = {"subagent_trajectory_ref": [{"trajectory_id": step.branch}]}
        message = f"Branch {step.branch} begins here."
        parent.add({"source": "system", "message": message, "observation": {"results": [reference]}})
    return branches[step.branch]


def _step(step: Step, trajectory: Trajectory, paid: Costs, ids: set[str]) -> Json:
    reply = trajectory.replies.get((step.branch, step.reply)) if step.reply is not None else None
    actions = step.actions or (reply.actions if reply else ())
    about = {"step": step.id, "author": step.author, "tree": step.tree, "error": step.error}
    result: Json = {"timestamp": format_time(step.at), "extra": _without_empty(about)}
    if reply is None and not actions:
        source = "user" if step.author in SPOKEN else "system"
        return result | {"source": source, "message": "\n".join(seen.text for seen in step.observations)}
    calls = [_call(action, f"{step.n}_{number}", ids) for number, action in enumerate(actions, 1)]
    result |= {"source": "agent", "tool_calls": calls, "observation": _observation(calls, step.observations)}
    if reply is None:
        return result | {"message": f"The {step.author} did this.", "llm_call_count": 0}
    said = {"message": reply.text, "model_name": reply.model, "reasoning_content": reply.reasoning}
    return result | said | {"llm_call_count": 1, "metrics": _metrics_of(paid, step)}


def _metrics_of(paid: Costs, step: Step) -> Json:
    """Return the metrics of the step's request, including retries."""
    sum = paid.asks.get((step.branch, step.reply or 0))
    if sum is None:
        return {}
    tokens = {"prompt_tokens": sum.input, "completion_tokens": sum.output, "cached_tokens": sum.cached}
    return tokens | ({} if sum.dollars is None else {"cost_usd": sum.dollars})


def _call(action: Action, number: str, ids: set[str]) -> Json:
    call: Json = {
        "tool_call_id": call_id(action.id, f"call_{number}", ids),
        "function_name": action.tool,
        "arguments": action.arguments,
    }
    return call | ({"extra": {"error": action.error}} if action.error else {})


def _observation(calls: Sequence[Json], seen: Sequence[Observation]) -> Json:
    results = []
    for number, each in enumerate(seen):
        result: Json = {"content": each.text}
        if number < len(calls):
            result["source_call_id"] = calls[number]["tool_call_id"]
        extra: Json = {} if each.ok else {"ok": False}
        extra |= {} if each.out is None else {"out": each.out}
        results.append(result | ({"extra": extra} if extra else {}))
    return {"results": results} if results else {}


def _metrics(run: RunView) -> Json:
    spent = run.spent
    return _without_empty(
        {
            "total_prompt_tokens": spent.input_tokens,
            "total_completion_tokens": spent.output_tokens,
            "total_cached_tokens": spent.cached_tokens,
            "total_cost_usd": spent.dollars,
        }
    )


def _without_empty(values: Json) -> Json:
    return {name: value for name, value in values.items() if name in ALWAYS or value not in (None, "", [], {})}
