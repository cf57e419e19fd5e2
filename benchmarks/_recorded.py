"""Recorded runs of other agents in a common form: the messages that the harness sent, the outputs of its tools, and the
equivalent calls of our tools.

Supports `.traj.json` of mini-swe-agent (1 and 2), `.traj` of SWE-agent, logged requests and event histories of
OpenHands, trajectories of Trae, and chats in OpenAI's format. Formats are recognised by their keys, not by the file
name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from trajectories.records import Action, Observation, Reply, Step


@dataclass(frozen=True, slots=True)
class Turn:
    """A reply, its actions as calls of our tools, and the observations that followed.

    `sent` are the observations as the harness sent them, `raw` the outputs of its tools; one for each action, if known.
    """

    text: str
    actions: tuple[Action, ...]
    sent: tuple[str, ...]
    raw: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run: the system prompt and the task before its first reply, and its turns."""

    system: str
    task: str
    turns: tuple[Turn, ...]

    @property
    def issue(self) -> str:
        """The issue in the task, without the instructions of the harness if they can be separated."""
        for pattern in _ISSUES:
            if found := pattern.search(self.task):
                return found[1].strip()
        return self.task


_ISSUES = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"<pr_description>\s*(?:Consider the following PR description:)?(.*)</pr_description>",
        r"<issue_description>(.*)</issue_description>",
        r"Here's the issue text:\s*ISSUE:(.*?)\n\s*INSTRUCTIONS:",
        r"\[Problem statement\]:(.*)",
    )
)


def read_run(path: Path) -> Recorded:
    """Read a recorded run.

    Raises ValueError or OSError for other files, and KeyError, TypeError or IndexError for malformed runs.
    """
    document = json.loads(path.read_text("utf-8", "replace"))
    for matches, read in _READERS:
        if matches(document):
            run = read(document)
            if run.turns:
                return run
    raise ValueError("not a trajectory in a known format, or one without a reply")


def as_steps(
    run: Recorded, task: str, observe: Callable[[Turn, Sequence[Step]], Sequence[Observation]]
) -> tuple[list[Step], dict[tuple[str, int], Reply]]:
    """Convert the run to our records: the task, then each turn with observations from `observe(turn, steps so far)`."""
    steps = [Step("main", 1, "", "task", "", None, (), (Observation(task),))]
    replies = {}
    for number, turn in enumerate(run.turns, 1):
        replies["main", number] = Reply(turn.text, turn.actions, branch="main", ask=number)
        observations = tuple(observe(turn, steps))
        steps.append(Step("main", number + 1, "", "coder", "", number, turn.actions, observations))
    return steps, replies


# Chats: mini-swe-agent, OpenAI's format


def _read_chat(document: Any) -> Recorded:
    """Read messages in OpenAI's format; commands may be in fenced blocks of the text, as in mini-swe-agent 1."""
    messages = document["messages"] if isinstance(document, dict) else document
    messages = list(takewhile(lambda message: message.get("role") != "exit", messages))
    before = list(takewhile(lambda message: message["role"] != "assistant", messages))
    system = "\n".join(_text(message) for message in before if message["role"] in ("system", "developer"))
    if isinstance(document, dict) and document.get("tools"):
        system += json.dumps(document["tools"])
    task = "\n".join(_text(message) for message in before if message["role"] not in ("system", "developer"))
    return Recorded(system, task, tuple(_turns(messages[len(before) :])))


def _turns(messages: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    at = 0
    while at < len(messages):
        answers = list(takewhile(lambda message: message["role"] != "assistant", messages[at + 1 :]))
        text, actions = called(messages[at])
        sent = tuple(map(_text, answers))
        yield Turn(text, actions, sent, tuple(map(_strip_tags, sent)))
        at += 1 + len(answers)


def called(message: Mapping[str, Any]) -> tuple[str, tuple[Action, ...]]:
    """Return the text and the actions of a reply; commands in the text are removed from it."""
    text = _text(message)
    if calls := message.get("tool_calls"):
        named = ((call["function"]["name"], _arguments(call["function"]["arguments"])) for call in calls)
        ids = (str(call.get("id", "")) for call in calls)
        return text, tuple(_convert_call(*each, id) for each, id in zip(named, ids, strict=True))
    known = [action["command"] for action in message.get("extra", {}).get("actions", ())]
    fenced = re.findall(r"```(?:bash|sh|mswea_bash_command)\n(.*?)\n```", text, re.DOTALL)
    commands = known or (fenced if len(fenced) == 1 else [])  # mini-swe-agent 1 rejects replies with several
    for command in commands:
        text = text.replace(command, "", 1)
    return text, tuple(Action("shell", {"command": command}) for command in commands)


def _strip_tags(text: str) -> str:
    """Return an observation of mini-swe-agent without its tags, with a mark where the harness truncated it."""
    found = re.search(r"<output>\n?(.*?)\n?</output>", text, re.DOTALL)
    if found:
        return found[1]
    cut = re.search(
        r"<output_head>\n?(.*?)\n?</output_head>\s*<elided_chars>\s*(.*?)\s*</elided_chars>\s*<output_tail>\n?(.*?)\n?</output_tail>",
        text,
        re.DOTALL,
    )
    return "\n".join((cut[1], f"[{cut[2]}]", cut[3])) if cut else text


# SWE-agent


def _read_swe_agent(document: Any) -> Recorded:
    """Read steps from `trajectory`, and the sent messages, demonstrations included, from `history`."""
    history = document["history"]
    first = next(
        at for at, message in enumerate(history) if message["role"] == "assistant" and not message.get("is_demo")
    )
    system = "\n".join(_text(message) for message in history[:first] if message["role"] == "system")
    task = "\n".join(_text(message) for message in history[:first] if message["role"] != "system")
    sent = [_text(message) for message in history[first:] if message["role"] != "assistant"]
    turns = []
    for at, step in enumerate(document["trajectory"]):
        raw = step["observation"].replace("\r\n", "\n")
        text = (step["response"] or step["thought"] or "").replace(step["action"].strip(), "", 1)
        shown = sent[at] if at < len(sent) else raw
        turns.append(Turn(text, (_swe_agent_action(step["action"], step.get("state")),), (shown,), (raw,)))
    return Recorded(system, task, tuple(turns))


def _swe_agent_action(command: str, state: Any) -> Action:
    """Convert a command of SWE-agent to a call of our corresponding tool."""
    name = command.split(maxsplit=1)[0] if command.split() else ""
    state = json.loads(state) if isinstance(state, str) and state.startswith("{") else state
    path = str((state or {}).get("open_file") or "")
    if name in ("open", "goto", "scroll_up", "scroll_down"):
        return Action("view", {"path": path, "how": command})
    if name in ("edit", "insert", "create"):
        return Action("edit", {"path": path, "old": "", "new": command})
    if name in ("search_dir", "search_file"):
        return Action("search", {"pattern": command})
    return Action("shell", {"command": command})


# OpenHands


def _read_openhands(document: Any) -> Recorded:
    """Read the last logged request: `messages` as sent, `fncall_messages` with calls separate from the text."""
    sent, last = document["messages"], document["fncall_response"]["choices"][0]["message"]
    plain = [*document["fncall_messages"], last]
    first = next(at for at, message in enumerate(plain) if message["role"] == "assistant")
    turns: list[Turn] = []
    for at, message in enumerate(plain):
        if message["role"] == "assistant":
            text, actions = called(message)
            follows = [each for each in range(at + 1, min(at + 2, len(sent))) if plain[each]["role"] != "assistant"]
            raw = tuple(_without_notes(_text(plain[each])) for each in follows)
            turns.append(Turn(text, actions, tuple(_text(sent[each]) for each in follows), raw))
    system = "\n".join(_text(message) for message in sent[:first] if message["role"] == "system")
    demonstration, _, rest = "\n".join(_text(each) for each in sent[1:first]).partition("<uploaded_files>")
    return Recorded(f"{system}\n{demonstration}", rest, tuple(turns))


def _read_events(document: Any) -> Recorded:
    """Read a history of events: actions and observations, whose `cause` is the id of their action."""
    events = document["history"] if isinstance(document, dict) else document
    observations = {event["cause"]: event for event in events if "observation" in event and "cause" in event}
    system, task, turns = "", "", list[Turn]()
    for event in events:
        kind, arguments = event.get("action"), event.get("args") or {}
        if kind == "system":
            tools = arguments.get("tools")
            system = str(arguments.get("content", "")) + (json.dumps(tools) if tools else "")
        elif kind == "message" and event.get("source") == "user" and not turns:
            task += str(arguments.get("content", ""))
        elif kind and event.get("source") == "agent":
            text = str(arguments.pop("thought", "") or arguments.get("content", ""))
            raw = str(observations.get(event.get("id"), {}).get("content", ""))
            turns.append(Turn(text, (_event_action(str(kind), arguments),), (raw,), (_without_notes(raw),)))
    return Recorded(system, task, tuple(turns))


def _event_action(kind: str, arguments: Mapping[str, Any]) -> Action:
    if kind == "run":
        return Action("shell", {"command": str(arguments.get("command", ""))})
    if kind in ("read", "edit"):
        command = str(arguments.get("command") or ("view" if kind == "read" else "create"))
        return _convert_call("str_replace_editor", {**arguments, "command": command}, "")
    return Action(kind, dict(arguments))


def _without_notes(text: str) -> str:
    """Remove the notes that OpenHands adds to an output; our shell reports these only if they are unexpected."""
    text = re.sub(r"^(?:EXECUTION RESULT of \[\w+\]:|OBSERVATION:)\n", "", text)
    notes = r"\n?\[(?:The command completed with|Command finished with) exit code 0\.?\]|\n?\[Python interpreter: .*\]"
    return re.sub(rf"{notes}|\n?\[Current working directory: .*\]", "", text)


# Trae


def _read_trae(document: Any) -> Recorded:
    """Read steps with calls and results; the messages of the first request are the prefix."""
    first = document["llm_interactions"][0]["input_messages"]
    system = "\n".join(_text(message) for message in first if message["role"] == "system")
    task = "\n".join(_text(message) for message in first if message["role"] != "system")
    turns = []
    for step in document["agent_steps"]:
        if not (reply := step.get("llm_response")):
            continue
        calls = step.get("tool_calls") or ()
        results = {each["call_id"]: each for each in step.get("tool_results") or ()}
        actions = tuple(_convert_call(call["name"], call["arguments"], str(call["call_id"])) for call in calls)
        raw = tuple(_result(results.get(call["call_id"], {})) for call in calls)
        turns.append(Turn(reply.get("content") or "", actions, raw, raw))
    return Recorded(system, task, tuple(turns))


def _result(result: Mapping[str, Any]) -> str:
    return "\n".join(filter(None, (result.get("result"), result.get("error"))))


# Common to several formats


def _convert_call(name: str, arguments: Mapping[str, Any], id: str) -> Action:
    """Convert a call of another agent's tool to a call of ours."""
    if name in ("bash", "execute_bash", "shell", "run", "terminal"):
        return Action("shell", {"command": str(arguments.get("command", ""))}, id)
    if not name.startswith("str_replace"):
        return Action(name, dict(arguments), id)
    path = str(arguments.get("path", ""))
    match arguments.get("command"):
        case "view":
            window = arguments.get("view_range") or ()
            window = json.loads(window) if isinstance(window, str) else window
            return Action("view", {"path": path} | dict(zip(("start", "end"), window, strict=False)), id)
        case "str_replace":
            old, new = arguments.get("old_str", ""), arguments.get("new_str", "")
            return Action("edit", {"path": path, "old": old, "new": new}, id)
        case "create" | "insert":
            text = arguments.get("file_text") or arguments.get("new_str") or ""
            return Action("edit", {"path": path, "new": text}, id)
    return Action("undo", {"path": path}, id)


def _arguments(given: Any) -> dict[str, Any]:
    try:
        read = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        return {"unread": given}
    return read if isinstance(read, dict) else {"unread": str(given)}


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(str(part.get("text", "")) for part in content)


def _has(*keys: str) -> Callable[[Any], bool]:
    return lambda document: isinstance(document, dict) and all(key in document for key in keys)


def _is_list_of(key: str) -> Callable[[Any], bool]:
    return lambda document: isinstance(document, list) and any(isinstance(one, dict) and key in one for one in document)


def _has_events(document: Any) -> bool:
    return isinstance(document, dict) and _is_list_of("observation")(document.get("history"))


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Recorded]], ...] = (
    (_has("agent_steps", "llm_interactions"), _read_trae),
    (_has("fncall_messages", "messages"), _read_openhands),
    (_has("trajectory", "history"), _read_swe_agent),
    (_has("messages"), _read_chat),
    (_has_events, _read_events),
    (_is_list_of("observation"), _read_events),
    (_is_list_of("role"), _read_chat),
)
