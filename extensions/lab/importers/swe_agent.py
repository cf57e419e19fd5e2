"""Import of SWE-agent's `.traj`, versions 0.4 to 1.1: steps are in `trajectory`, messages to the model in `history`.

A step's `state` was text before 1.0. Version 1.0 added function calls; 1.1 added the request (`query`) and several
`attempts`. A demonstration has only `history`.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from extensions.lab.importers._record_builder import (
    Recording,
    dollars,
    foreign_status,
    mapping,
    messages,
    number,
    parse_calls,
    reasoning_text,
    sent_messages,
    text,
)
from trajectories.records import Action, Observation, Spent
from trajectories.trajectory import Message, RunView, Trajectory

WHAT = "SWE-agent's .traj"

RawMessage = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A reply in the history, and the messages between it and the next reply."""

    reply: RawMessage
    answers: list[RawMessage] = field(default_factory=list)


def reads(data: Any) -> bool:
    about = mapping(data)
    if isinstance(about.get("trajectory"), list) or isinstance(about.get("attempts"), list):
        return "history" in about or "info" in about or "attempts" in about
    history = about.get("history")
    return isinstance(history, list) and any(isinstance(each, dict) and "role" in each for each in history)


def load(data: Any, name: str) -> RunView:
    """Return the trajectory. Raises UsageError if an entry of the steps or messages is not an object."""
    attempts = messages(data.get("attempts"), "attempts")
    first = attempts[0] if attempts else data
    config = _config(first.get("replay_config"))
    opening, _ = _opening_and_exchanges(first)
    recording = Recording(
        name,
        "swe-agent",
        _problem(config) or "\n".join(text(each.get("content")) for each in opening if _asks(each)),
        "\n\n".join(text(each.get("content")) for each in opening if each.get("role") == "system"),
        text(mapping(mapping(config.get("agent")).get("model")).get("name")),
        versions=_versions(mapping(data.get("info"))),
    )
    if attempts:
        _add_attempts(recording, attempts, mapping(data.get("info")))
    else:
        _add_messages(recording, data)
    info = mapping(data.get("info"))
    recording.end(text(info.get("exit_status")), text(info.get("submission")))
    branches = {f"main/attempt-{number}": each for number, each in enumerate(attempts, 1)} or {"main": data}

    def requests(branch: str) -> Iterator[Sequence[Message]]:
        return _requests(branches.get(branch, {}))

    def answers(branch: str) -> Iterator[Message | None]:
        return (_answer(step, exchange) for step, exchange in _steps(branches.get(branch, {})))

    return RunView(
        name,
        Trajectory(recording.records),
        _spent(info),
        requests=requests,
        answers=answers,
        patch=recording.patch,
    )


def _add_attempts(recording: Recording, attempts: Sequence[RawMessage], info: RawMessage) -> None:
    for number_of, attempt in enumerate(attempts, 1):
        recording.on(f"main/attempt-{number_of}")
        _add_messages(recording, attempt)
        its = mapping(attempt.get("info"))
        status = text(its.get("exit_status")).strip()
        recording.note("candidate", foreign_status(status) if status else "not finished")
        if review := mapping(its.get("review")):
            recording.note("score", f"{number(review.get('accept')):g}", accept=number(review.get("accept")))
    recording.on("main")
    if "best_attempt_idx" in info:
        recording.say(f"Attempt {int(number(info['best_attempt_idx'])) + 1} of {len(attempts)} was chosen.")


def _add_messages(recording: Recording, data: RawMessage) -> None:
    """Record the messages to one agent and its steps, in order."""
    for message in _opening_and_exchanges(data)[0]:
        if message.get("role") != "system":
            author = "demonstration" if message.get("is_demo") else "task"
            recording.say(text(message.get("content")), author=author)
    for step, exchange in _steps(data):
        _add_step(recording, step, exchange)


def _steps(data: RawMessage) -> Iterator[tuple[RawMessage, Exchange]]:
    """Yield each step with its exchange in the history, or with an empty exchange if the history has none for it."""
    _, exchanges = _opening_and_exchanges(data)
    steps = messages(data.get("trajectory"), "trajectory")
    if not steps:
        steps = [{**each.reply, "observation": text([a.get("content") for a in each.answers])} for each in exchanges]
    left = deque(exchanges)
    for step in steps:
        yield step, left.popleft() if left and _is_of(left[0].reply, step) else Exchange({})


def _add_step(recording: Recording, step: RawMessage, exchange: Exchange) -> None:
    command = text(step.get("action"))
    calls = parse_calls(exchange.reply.get("tool_calls"))
    actions = calls or ([Action("bash", {"command": command.strip()})] if command.strip() else [])
    thought = text(step.get("thought") or step.get("response") or step.get("content"))
    seen = [text(each.get("content")) for each in exchange.answers] or [text(step.get("observation"))]
    if not actions:
        recording.answer(thought, (), (), reasoning_text(exchange.reply))
        for words in seen:
            recording.say(words)
        return
    if len(seen) > len(actions):
        seen = [*seen[: len(actions) - 1], "\n".join(seen[len(actions) - 1 :])]
    recording.answer(thought, actions, [Observation(words) for words in seen], reasoning_text(exchange.reply))


def _opening_and_exchanges(data: RawMessage) -> tuple[list[RawMessage], list[Exchange]]:
    """Return the messages before the first reply, including demonstrations, and the exchanges that follow them."""
    opening: list[RawMessage] = []
    exchanges: list[Exchange] = []
    for message in messages(data.get("history"), "history"):
        if message.get("role") == "assistant" and not message.get("is_demo"):
            exchanges.append(Exchange(message))
        elif exchanges:
            exchanges[-1].answers.append(message)
        else:
            opening.append(message)
    return opening, exchanges


def _is_of(reply: RawMessage, step: RawMessage) -> bool:
    """Return whether a reply in the history belongs to the step. Some steps (such as an automatic submission) have no
    reply there."""
    ours, theirs = text(step.get("action")).strip(), text(reply.get("action")).strip()
    return ours == theirs or (bool(reply.get("content")) and reply.get("content") == step.get("response"))


def _asks(message: RawMessage) -> bool:
    return message.get("role") != "system" and not message.get("is_demo")


def _config(value: Any) -> RawMessage:
    """Return the configuration of the run, which the file contains as an object or as JSON text."""
    try:
        return mapping(json.loads(value) if isinstance(value, str) else value)
    except (ValueError, RecursionError):
        return {}


def _problem(config: RawMessage) -> str:
    return text(mapping(config.get("problem_statement")).get("text"))


def _versions(info: RawMessage) -> dict[str, str]:
    known = {"swe_agent_version": "swe-agent", "swe_rex_version": "swe-rex"}
    return {ours: text(info[theirs]) for theirs, ours in known.items() if info.get(theirs)}


def _spent(info: RawMessage) -> Spent:
    """Return the total cost that the program recorded; the file has no costs of single requests."""
    stats = mapping(info.get("model_stats"))
    cost = stats.get("instance_cost", stats.get("total_cost"))
    figures = (int(number(stats.get(key))) for key in ("tokens_sent", "tokens_received", "api_calls"))
    sent_tokens, received, calls = figures
    return Spent(dollars(cost), sent_tokens, 0, received, calls)


def _requests(data: RawMessage) -> Iterator[Sequence[Message]]:
    """Yield the request of each step, which is empty if the file does not contain it."""
    return (sent_messages(step["query"]) if isinstance(step.get("query"), list) else [] for step, _ in _steps(data))


def _answer(step: RawMessage, exchange: Exchange) -> Message | None:
    """Return a step's reply in the form in which later requests contain it."""
    said = sent_messages([exchange.reply or {"role": "assistant", "content": step.get("response")}])
    return said[0] if said else None
