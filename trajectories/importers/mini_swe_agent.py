"""mini-swe-agent's `.traj.json`: a conversation, with what was run in `extra` (2) or fenced in the text (1).

Where the Responses API was asked, a reply is that API's whole answer. A bare list of messages is read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise, repeat
from typing import Any

from trajectories.foreign._recording import (
    Recording,
    called,
    dollars,
    mapping,
    messages,
    number,
    sent,
    text,
    thoughts,
)
from trajectories.material import Material, Message
from trajectories.records import Action, Observation, Spent, Usage
from trajectories.trajectory import Trajectory

WHAT = "mini-swe-agent's .traj.json"
FENCE = re.compile(r"```(?:bash|sh|mswea_bash_command)[ \t]*\n")
FAILED = re.compile(r"\s*<returncode>(?!0<)")

SYSTEM = ("system", "developer")

Said = Mapping[str, Any]


def reads(data: Any) -> bool:
    said = data.get("messages") if isinstance(data, dict) else data
    return isinstance(said, list) and any(
        isinstance(each, dict) and ("role" in each or _is_reply(each)) for each in said
    )


def load(data: Any, name: str) -> Material:
    """Raises UsageError where something among the messages is none."""
    about = mapping(data)
    info = mapping(about.get("info"))
    said = messages(data if isinstance(data, list) else about.get("messages"), "messages")
    replies = [at for at, each in enumerate(said) if _is_reply(each)]
    opening = [each for each in said[: replies[0] if replies else len(said)] if each.get("role") != "exit"]
    recording = _begun(text(about.get("instance_id")) or name, info, opening, said)
    patch = text(info.get("submission"))
    for at, until in pairwise([*replies, len(said)]):
        _tell(recording, said[at], [each for each in said[at + 1 : until] if not _is_end(each, patch)])
    _end(recording, info, said[-1] if said else {})

    def conversation(branch: str) -> list[Message]:
        known = branch == "main" and bool(replies) and not any("output" in said[at] for at in replies)
        return sent(said[: replies[-1] + 1]) if known else []

    def requests(branch: str) -> Iterator[Sequence[Message]]:
        whole = conversation(branch)
        return (whole[:at] for at in replies if branch == "main")

    def answers(branch: str) -> Iterator[Message | None]:
        whole = conversation(branch)
        return (whole[at] for at in replies) if whole else repeat(None, len(replies))

    return Material(
        name,
        Trajectory(recording.records),
        _spent(info, said),
        requests=requests,
        answers=answers,
        patch=recording.patch,
    )


def _begun(name: str, info: Said, opening: Sequence[Said], said: Sequence[Said]) -> Recording:
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


def _end(recording: Recording, info: Said, last: Said) -> None:
    ended = mapping(last.get("extra")) if last.get("role") == "exit" else {}
    status = text(info.get("exit_status") or ended.get("exit_status"))
    patch, word = text(info.get("submission") or ended.get("submission")), text(last.get("content"))
    recording.end(status, patch, word if ended and word not in (patch, status) else "", _at(last))


def _is_reply(message: Said) -> bool:
    return message.get("role") == "assistant" or (message.get("object") == "response" and "output" in message)


def _is_end(message: Said, patch: str) -> bool:
    """The last word repeats the patch (1), or is of a role that no model knows (2)."""
    return message.get("role") == "exit" or bool(patch and text(message.get("content")).strip() == patch.strip())


def _tell(recording: Recording, reply: Said, answers: Sequence[Said]) -> None:
    """A reply, the answers to its calls (by their ids, else in order), and what else was said before the next one."""
    said, actions = _actions(reply)
    places = {action.id: at for at, action in enumerate(actions) if action.id}
    seen: dict[int, Said] = {}
    named: set[int] = set()
    """Answers that say to which call."""
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


def _actions(reply: Said) -> tuple[str, list[Action]]:
    """What a reply says and calls; a command that stands fenced in the words is taken out of them."""
    output = [mapping(each) for each in reply["output"]] if isinstance(reply.get("output"), list) else []
    said = text([each.get("content") for each in output if each.get("type") == "message"] or reply.get("content"))
    calls = called([each for each in output if each.get("type") == "function_call"] or reply.get("tool_calls"))
    if calls:
        return said, calls
    kept = mapping(reply.get("extra")).get("actions")
    commands = [text(mapping(each).get("command")) for each in (kept if isinstance(kept, list) else [])]
    found = list(islice(_fenced(said), 2))
    if len(found) == 1:  # of several fences none was run
        said, command = found[0]
        commands = commands or [command]
    return said, [Action("bash", {"command": command}) for command in commands]


def _fenced(said: str) -> Iterator[tuple[str, str]]:
    """Each command that stands fenced in the words, behind the words without it."""
    end = 0
    while begun := FENCE.search(said, end):
        closed = said.find("\n```", begun.end())
        if closed < 0:
            return
        end = closed + 4
        words = f"{said[: begun.start()].rstrip()}\n{said[end:].lstrip()}".strip()
        yield words, said[begun.end() : closed]


def _thought(reply: Said) -> str:
    output = reply["output"] if isinstance(reply.get("output"), list) else []
    summaries = [each.get("summary") for each in map(mapping, output) if each.get("type") == "reasoning"]
    return text(list(filter(None, summaries))) or thoughts(reply) or thoughts(_answered(reply))


def _answered(reply: Said) -> Said:
    """The provider's own message, where it was kept."""
    choices = mapping(mapping(reply.get("extra")).get("response")).get("choices")
    return mapping(mapping(choices[0]).get("message")) if isinstance(choices, list) and choices else {}


def _observation(message: Said) -> Observation:
    seen, code = text(message.get("content", message.get("output"))), mapping(message.get("extra")).get("returncode")
    return Observation(seen, not FAILED.match(seen) if code is None else code == 0)


def _usage(reply: Said) -> Usage | None:
    extra = mapping(reply.get("extra"))
    told = mapping(mapping(extra.get("response")).get("usage")) or mapping(reply.get("usage"))
    if not told and "cost" not in extra:
        return None
    details = mapping(told.get("prompt_tokens_details")) or mapping(told.get("input_tokens_details"))
    return Usage(
        int(number(told.get("prompt_tokens") or told.get("input_tokens"))),
        int(number(told.get("completion_tokens") or told.get("output_tokens"))),
        int(number(details.get("cached_tokens"))),
        dollars(extra.get("cost")),
    )


def _spent(info: Said, said: Sequence[Said]) -> Spent:
    used = [usage or Usage() for usage in map(_usage, filter(_is_reply, said))]
    stats = mapping(info.get("model_stats"))
    return Spent(
        dollars(stats.get("instance_cost")),
        sum(usage.input_tokens for usage in used),
        sum(usage.cached_tokens for usage in used),
        sum(usage.output_tokens for usage in used),
        int(number(stats.get("api_calls"))) or len(used),
    )


def _model(info: Said, said: Sequence[Said]) -> str:
    told = mapping(mapping(info.get("config")).get("model")).get("model_name")
    answered = (mapping(mapping(each.get("extra")).get("response")).get("model") for each in said)
    return text(told or next(filter(None, answered), ""))


def _settings(info: Said) -> dict[str, str]:
    """Which workspace it ran in, as its class is called."""
    kind = text(mapping(info.get("config")).get("environment_type")).rpartition(".")[2]
    return {"workspace": kind.removesuffix("Environment").lower()}


def _at(message: Said) -> float:
    return number(mapping(message.get("extra")).get("timestamp") or message.get("timestamp"))
