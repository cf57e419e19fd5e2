"""SWE-agent's `.traj`, from 0.4 to 1.1: steps in `trajectory`, what the model was told in `history`.

A step's `state` was text before 1.0; calls of functions came with 1.0, what was sent (`query`) and several `attempts`
with 1.1. A demonstration has the `history` alone.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trajectories.foreign._recording import (
    Recording,
    called,
    dollars,
    mapping,
    messages,
    number,
    sent,
    so_called,
    text,
    thoughts,
)
from trajectories.material import Material, Message
from trajectories.records import Action, Observation, Spent
from trajectories.trajectory import Trajectory

WHAT = "SWE-agent's .traj"

Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A reply in the history, and what was answered before the next one."""

    reply: Said
    answers: list[Said] = field(default_factory=list)


def reads(data: Any) -> bool:
    about = mapping(data)
    if isinstance(about.get("trajectory"), list) or isinstance(about.get("attempts"), list):
        return "history" in about or "info" in about or "attempts" in about
    history = about.get("history")
    return isinstance(history, list) and any(isinstance(each, dict) and "role" in each for each in history)


def load(data: Any, name: str) -> Material:
    """Raises UsageError where something among steps or messages is none."""
    attempts = messages(data.get("attempts"), "attempts")
    first = attempts[0] if attempts else data
    config = _config(first.get("replay_config"))
    opening, _ = _told(first)
    recording = Recording(
        name,
        "swe-agent",
        _problem(config) or "\n".join(text(each.get("content")) for each in opening if _asks(each)),
        "\n\n".join(text(each.get("content")) for each in opening if each.get("role") == "system"),
        text(mapping(mapping(config.get("agent")).get("model")).get("name")),
        versions=_versions(mapping(data.get("info"))),
    )
    if attempts:
        _tell_attempts(recording, attempts, mapping(data.get("info")))
    else:
        _tell(recording, data)
    info = mapping(data.get("info"))
    recording.end(text(info.get("exit_status")), text(info.get("submission")))
    branches = {f"main/attempt-{number}": each for number, each in enumerate(attempts, 1)} or {"main": data}

    def requests(branch: str) -> Iterator[Sequence[Message]]:
        return _requests(branches.get(branch, {}))

    def answers(branch: str) -> Iterator[Message | None]:
        return (_answer(step, exchange) for step, exchange in _steps(branches.get(branch, {})))

    return Material(
        name,
        Trajectory(recording.records),
        _spent(info),
        requests=requests,
        answers=answers,
        patch=recording.patch,
    )


def _tell_attempts(recording: Recording, attempts: Sequence[Said], info: Said) -> None:
    for number_of, attempt in enumerate(attempts, 1):
        recording.on(f"main/attempt-{number_of}")
        _tell(recording, attempt)
        its = mapping(attempt.get("info"))
        status = text(its.get("exit_status")).strip()
        recording.note("candidate", so_called(status) if status else "not finished")
        if review := mapping(its.get("review")):
            recording.note("score", f"{number(review.get('accept')):g}", accept=number(review.get("accept")))
    recording.on("main")
    if "best_attempt_idx" in info:
        recording.say(f"Attempt {int(number(info['best_attempt_idx'])) + 1} of {len(attempts)} was chosen.")


def _tell(recording: Recording, data: Said) -> None:
    """What one agent was told and did, in order."""
    for message in _told(data)[0]:
        if message.get("role") != "system":
            author = "demonstration" if message.get("is_demo") else "task"
            recording.say(text(message.get("content")), author=author)
    for step, exchange in _steps(data):
        _tell_step(recording, step, exchange)


def _steps(data: Said) -> Iterator[tuple[Said, Exchange]]:
    """Each step with its reply in the history, an empty one where it has none there."""
    _, exchanges = _told(data)
    steps = messages(data.get("trajectory"), "trajectory")
    if not steps:
        steps = [{**each.reply, "observation": text([a.get("content") for a in each.answers])} for each in exchanges]
    left = deque(exchanges)
    for step in steps:
        yield step, left.popleft() if left and _is_of(left[0].reply, step) else Exchange({})


def _tell_step(recording: Recording, step: Said, exchange: Exchange) -> None:
    command = text(step.get("action"))
    calls = called(exchange.reply.get("tool_calls"))
    actions = calls or ([Action("bash", {"command": command.strip()})] if command.strip() else [])
    thought = text(step.get("thought") or step.get("response") or step.get("content"))
    seen = [text(each.get("content")) for each in exchange.answers] or [text(step.get("observation"))]
    if not actions:
        recording.answer(thought, (), (), thoughts(exchange.reply))
        for words in seen:
            recording.say(words)
        return
    if len(seen) > len(actions):
        seen = [*seen[: len(actions) - 1], "\n".join(seen[len(actions) - 1 :])]
    recording.answer(thought, actions, [Observation(words) for words in seen], thoughts(exchange.reply))


def _told(data: Said) -> tuple[list[Said], list[Exchange]]:
    """What was said before the first reply, demonstrations among it, and the exchanges from there on."""
    opening: list[Said] = []
    exchanges: list[Exchange] = []
    for message in messages(data.get("history"), "history"):
        if message.get("role") == "assistant" and not message.get("is_demo"):
            exchanges.append(Exchange(message))
        elif exchanges:
            exchanges[-1].answers.append(message)
        else:
            opening.append(message)
    return opening, exchanges


def _is_of(reply: Said, step: Said) -> bool:
    """Whether a reply of the history is the step's: some steps (an automatic submission, say) have none."""
    ours, theirs = text(step.get("action")).strip(), text(reply.get("action")).strip()
    return ours == theirs or (bool(reply.get("content")) and reply.get("content") == step.get("response"))


def _asks(message: Said) -> bool:
    return message.get("role") != "system" and not message.get("is_demo")


def _config(value: Any) -> Said:
    """What the run was set to: an object, or that as text."""
    try:
        return mapping(json.loads(value) if isinstance(value, str) else value)
    except (ValueError, RecursionError):
        return {}


def _problem(config: Said) -> str:
    return text(mapping(config.get("problem_statement")).get("text"))


def _versions(info: Said) -> dict[str, str]:
    known = {"swe_agent_version": "swe-agent", "swe_rex_version": "swe-rex"}
    return {ours: text(info[theirs]) for theirs, ours in known.items() if info.get(theirs)}


def _spent(info: Said) -> Spent:
    """As the program counted it; nobody says of which request."""
    stats = mapping(info.get("model_stats"))
    cost = stats.get("instance_cost", stats.get("total_cost"))
    figures = (int(number(stats.get(key))) for key in ("tokens_sent", "tokens_received", "api_calls"))
    sent_tokens, received, calls = figures
    return Spent(dollars(cost), sent_tokens, 0, received, calls)


def _requests(data: Said) -> Iterator[Sequence[Message]]:
    """What each step was sent, nothing where a file does not tell it."""
    return (sent(step["query"]) if isinstance(step.get("query"), list) else [] for step, _ in _steps(data))


def _answer(step: Said, exchange: Exchange) -> Message | None:
    """A step's reply as the next ones were sent it."""
    said = sent([exchange.reply or {"role": "assistant", "content": step.get("response")}])
    return said[0] if said else None
