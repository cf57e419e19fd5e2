"""Import of mini-swe-agent's `.traj.json`: a conversation with commands in `extra` (version 2) or in code fences in the
text (version 1).

With the Responses API, a reply is that API's whole response object. A plain list of messages is supported too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise, repeat
from typing import Any

from extensions.lab.importers._record_builder import (
    Recording,
    dollars,
    mapping,
    messages,
    number,
    parse_calls,
    reasoning_text,
    sent_messages,
    text,
)
from trajectories.records import Action, Observation, Spent, Usage
from trajectories.trajectory import Message, RunView, Trajectory

WHAT = "mini-swe-agent's .traj.json"
FENCE = re.compile(r"```(?:bash|sh|mswea_bash_command)[ \t]*\n")
FAILED = re.compile(r"\s*<returncode>(?!0<)")

SYSTEM = ("system", "developer")

RawMessage = Mapping[str, Any]


def reads(data: Any) -> bool:
    said = data.get("messages") if isinstance(data, dict) else data
    return isinstance(said, list) and any(
        isinstance(each, dict) and ("role" in each or _is_reply(each)) for each in said
    )


def load(data: Any, name: str) -> RunView:
    """Return the trajectory. Raises UsageError if an entry of the messages is not an object."""
    about = mapping(data)
    info = mapping(about.get("info"))
    said = messages(data if isinstance(data, list) else about.get("messages"), "messages")
    replies = [at for at, each in enumerate(said) if _is_reply(each)]
    opening = [each for each in said[: replies[0] if replies else len(said)] if each.get("role") != "exit"]
    recording = _start_recording(text(about.get("instance_id")) or name, info, opening, said)
    patch = text(info.get("submission"))
    for at, until in pairwise([*replies, len(said)]):
        _add_exchange(recording, said[at], [each for each in said[at + 1 : until] if not _is_end(each, patch)])
    _end(recording, info, said[-1] if said else {})

    def conversation(branch: str) -> list[Message]:
        known = branch == "main" and bool(replies) and not any("output" in said[at] for at in replies)
        return sent_messages(said[: replies[-1] + 1]) if known else []

    def requests(branch: str) -> Iterator[Sequence[Message]]:
        whole = conversation(branch)
        return (whole[:at] for at in replies if branch == "main")

    def answers(branch: str) -> Iterator[Message | None]:
        whole = conversation(branch)
        return (whole[at] for at in replies) if whole else repeat(None, len(replies))

    return RunView(
        name,
        Trajectory(recording.records),
        _spent(info, said),
        requests=requests,
        answers=answers,
        patch=recording.patch,
    )


def _start_recording(
    name: str, info: RawMessage, opening: Sequence[RawMessage], said: Sequence[RawMessage]
) -> Recording:
    system = [text(each.get("content")) for each in opening if each.get("role") in SYSTEM]
    asked = [each for each in opening if each.get("role") not in SYSTEM]
    recording = Recording(
        name,
        "mini-swe-agent",
        "\n".join(text(each.get("content")) for each in asked),
        "\n\n".join(system),
        _model(info, said),
        settings=_settings(info),
        versions={"mini-swe-agent": text(info["mini_version"])} if "mini_version" in info else {},
        at=next(filter(None, map(_at, said)), 0.0),
    )
    for each in asked:
        recording.say(text(each.get("content")), _at(each))
    return recording


def _end(recording: Recording, info: RawMessage, last: RawMessage) -> None:
    ended = mapping(last.get("extra")) if last.get("role") == "exit" else {}
    status = text(info.get("exit_status") or ended.get("exit_status"))
    patch, word = text(info.get("submission") or ended.get("submission")), text(last.get("content"))
    recording.end(status, patch, word if ended and word not in (patch, status) else "", _at(last))


def _is_reply(message: RawMessage) -> bool:
    return message.get("role") == "assistant" or (message.get("object") == "response" and "output" in message)


def _is_end(message: RawMessage, patch: str) -> bool:
    """Return whether a message is the last one: it repeats the patch (version 1), or its role is `exit` (version 2)."""
    return message.get("role") == "exit" or bool(patch and text(message.get("content")).strip() == patch.strip())


def _add_exchange(recording: Recording, reply: RawMessage, answers: Sequence[RawMessage]) -> None:
    """Record a reply, the results of its tool calls (matched by id, otherwise by order), and other messages before the
    next reply."""
    said, actions = _actions(reply)
    places = {action.id: at for at, action in enumerate(actions) if action.id}
    seen: dict[int, RawMessage] = {}
    named: set[int] = set()
    """Indexes of the answers that contain the id of their call."""
    for number_of, message in enumerate(answers):
        at = places.get(text(message.get("tool_call_id") or message.get("call_id")))
        if at is not None and at not in seen:
            seen[at] = message
            named.add(number_of)
    waiting = (at for at in range(len(actions)) if at not in seen)
    rest = []
    for message in (each for number_of, each in enumerate(answers) if number_of not in named):
        answering = len(actions) == 1 or message.get("role") != "user" or message.get("type") == "message"
        at = next(waiting, None) if answering else None
        if at is None:
            rest.append(message)
        else:
            seen[at] = message
    observations = [_observation(seen.get(at, {})) for at in range(max(seen, default=-1) + 1)]
    done = max(map(_at, seen.values()), default=0.0) or _at(reply)
    recording.answer(said, actions, observations, _thought(reply), _usage(reply), (_at(reply), done))
    for message in rest:
        recording.say(text(message.get("content")), _at(message))


def _actions(reply: RawMessage) -> tuple[str, list[Action]]:
    """Return the text and the actions of a reply; a fenced command is removed from the text."""
    output = [mapping(each) for each in reply["output"]] if isinstance(reply.get("output"), list) else []
    said = text([each.get("content") for each in output if each.get("type") == "message"] or reply.get("content"))
    calls = parse_calls([each for each in output if each.get("type") == "function_call"] or reply.get("tool_calls"))
    if calls:
        return said, calls
    kept = mapping(reply.get("extra")).get("actions")
    commands = [text(mapping(each).get("command")) for each in (kept if isinstance(kept, list) else [])]
    found = list(islice(_fenced(said), 2))
    if len(found) == 1:  # if there are several code fences, none was run
        said, command = found[0]
        commands = commands or [command]
    return said, [Action("bash", {"command": command}) for command in commands]


def _fenced(said: str) -> Iterator[tuple[str, str]]:
    """Yield, for each fenced command, the text without it and the command."""
    end = 0
    while opened := FENCE.search(said, end):
        closed = said.find("\n```", opened.end())
        if closed < 0:
            return
        end = closed + 4
        words = f"{said[: opened.start()].rstrip()}\n{said[end:].lstrip()}".strip()
        yield words, said[opened.end() : closed]


def _thought(reply: RawMessage) -> str:
    output = reply["output"] if isinstance(reply.get("output"), list) else []
    summaries = [each.get("summary") for each in map(mapping, output) if each.get("type") == "reasoning"]
    return text(list(filter(None, summaries))) or reasoning_text(reply) or reasoning_text(_answered(reply))


def _answered(reply: RawMessage) -> RawMessage:
    """Return the message that the provider sent, if it was recorded."""
    choices = mapping(mapping(reply.get("extra")).get("response")).get("choices")
    return mapping(mapping(choices[0]).get("message")) if isinstance(choices, list) and choices else {}


def _observation(message: RawMessage) -> Observation:
    seen, code = text(message.get("content", message.get("output"))), mapping(message.get("extra")).get("returncode")
    return Observation(seen, not FAILED.match(seen) if code is None else code == 0)


def _usage(reply: RawMessage) -> Usage | None:
    extra = mapping(reply.get("extra"))
    figures = mapping(mapping(extra.get("response")).get("usage")) or mapping(reply.get("usage"))
    if not figures and "cost" not in extra:
        return None
    details = mapping(figures.get("prompt_tokens_details")) or mapping(figures.get("input_tokens_details"))
    return Usage(
        int(number(figures.get("prompt_tokens") or figures.get("input_tokens"))),
        int(number(figures.get("completion_tokens") or figures.get("output_tokens"))),
        int(number(details.get("cached_tokens"))),
        dollars(extra.get("cost")),
    )


def _spent(info: RawMessage, said: Sequence[RawMessage]) -> Spent:
    used = [usage or Usage() for usage in map(_usage, filter(_is_reply, said))]
    stats = mapping(info.get("model_stats"))
    return Spent(
        dollars(stats.get("instance_cost")),
        sum(usage.input_tokens for usage in used),
        sum(usage.cached_tokens for usage in used),
        sum(usage.output_tokens for usage in used),
        int(number(stats.get("api_calls"))) or len(used),
    )


def _model(info: RawMessage, said: Sequence[RawMessage]) -> str:
    configured = mapping(mapping(info.get("config")).get("model")).get("model_name")
    answered = (mapping(mapping(each.get("extra")).get("response")).get("model") for each in said)
    return text(configured or next(filter(None, answered), ""))


def _settings(info: RawMessage) -> dict[str, str]:
    """Return the setting `workspace`, derived from the name of the run's environment class."""
    kind = text(mapping(info.get("config")).get("environment_type")).rpartition(".")[2]
    return {"workspace": kind.removesuffix("Environment").lower()}


def _at(message: RawMessage) -> float:
    return number(mapping(message.get("extra")).get("timestamp") or message.get("timestamp"))
