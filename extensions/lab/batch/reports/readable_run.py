"""A run as a readable Markdown page: issue, prompts, steps and prediction."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import clean_text
from agent.engine.engine import known_secrets
from extensions.lab.instances.jobs import JobResult
from trajectories.errors import SweAgentError
from trajectories.journal import read
from trajectories.records import Action, Note, Reply, Step
from trajectories.trajectory import Trajectory


def page(done: JobResult, directory: Path) -> str:
    """Return the run's record in Markdown: every step, with the observations as the model saw them.

    This machine's own keys, and all text that looks like a key, are masked. Without a record, the page shows the run's
    error.
    """
    try:
        trajectory = read(directory)
    except SweAgentError as error:
        lines = [f"# {done.instance}", "", f"There is no record of a run: {done.error or error.message}"]
    else:
        lines = [*_head(done, trajectory), *_steps(trajectory), *_end(done)]
    return mask_secrets(clean_text("\n".join(lines)), known_secrets(os.environ)) + "\n"


def _head(done: JobResult, trajectory: Trajectory) -> Iterator[str]:
    money = "unknown" if done.dollars is None else f"${done.dollars:.4f}"
    yield f"# {done.instance}"
    yield ""
    if trajectory.turns:
        turn = trajectory.turns[-1]
        yield f"- Strategy: {turn.strategy}; model: {turn.models.get('coder', 'none')}"
    yield f"- Exit: {done.kind}; verdict: {done.verdict}; {done.error}".rstrip("; ")
    yield f"- {done.steps} steps, {done.calls} requests, {done.input_tokens} tokens in ({done.cached_tokens} cached), "
    yield f"  {done.output_tokens} out; {money}; {done.seconds:.0f} seconds"
    if run := trajectory.run:
        yield f"- Base: {run.base.commit}"
        yield from ("", "## Issue", "", *_fenced(run.issue.text))
        for name, prompt in run.prompts.items():
            yield from ("", f"## Prompt: {name}", "", *_fenced(prompt))


def _steps(trajectory: Trajectory) -> Iterator[str]:
    for record in trajectory.records:
        if isinstance(record, Step):
            reply = trajectory.replies.get((record.branch, record.reply)) if record.reply is not None else None
            yield from _step(record, reply)
        elif isinstance(record, Note) and record.text:
            yield from ("", f"*{record.branch} {record.kind}: {' '.join(record.text.split())}*")


def _step(step: Step, reply: Reply | None) -> Iterator[str]:
    yield from ("", f"## {step.id} {step.author}")
    if reply is not None and reply.reasoning.strip():
        yield from ("", *(f"> {line}" for line in reply.reasoning.strip().splitlines()))
    if reply is not None and reply.text.strip():
        yield from ("", reply.text.strip())
    for number, action in enumerate(step.actions):
        yield from ("", *_action(action))
        if number < len(step.observations):
            yield from _fenced(step.observations[number].text)
    for observation in step.observations[len(step.actions) :]:
        yield from ("", *_fenced(observation.text))


def _action(action: Action) -> Iterator[str]:
    """Yield the lines for an action: its tool and arguments, with multi-line arguments as code blocks."""
    short = {name: value for name, value in action.arguments.items() if "\n" not in str(value)}
    yield f"**{action.tool}** {_code(json.dumps(short, ensure_ascii=False))}".removesuffix(" `{}`")
    for name, value in action.arguments.items():
        if name not in short:
            yield from (f"{name}:", *_fenced(str(value)))
    if action.error:
        yield from _fenced(action.error)


def _end(done: JobResult) -> Iterator[str]:
    yield from ("", "## Prediction", "")
    yield from _fenced(done.patch, "diff") if done.patch else ["No patch."]


def _fenced(text: str, kind: str = "") -> Iterator[str]:
    fence = _fence(text, 3)
    yield from (f"{fence}{kind}", text.rstrip("\n"), fence)


def _code(text: str) -> str:
    ticks = _fence(text, 1)
    return f"{ticks}{text}{ticks}" if ticks == "`" else f"{ticks} {text} {ticks}"


def _fence(text: str, least: int) -> str:
    """Return a fence of at least `least` backticks that is longer than any run of backticks in the text."""
    return "`" * max([least, *(len(run) + 1 for run in re.findall(r"`+", text))])
