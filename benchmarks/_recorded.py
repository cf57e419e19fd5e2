"""Recorded runs of other agents, read into one form: what the harness sent, what its tools had answered, and what our
tools would have been asked.

Known are mini-swe-agent's `.traj.json` (1 and 2), SWE-agent's `.traj`, OpenHands' logged requests and event histories,
Trae's trajectories, and chats in OpenAI's form. A format is told by its keys, not by the file's name.
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
    """A reply, the actions in it as our tools would be called, and the observations that followed.

    `sent` are they as the harness sent them, `raw` what its tools had answered; for each action one, as far as known.
    """

    text: str
    actions: tuple[Action, ...]
    sent: tuple[str, ...]
    raw: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run: what stood before its first reply, the system's words apart from the task's."""

    system: str
    task: str
    turns: tuple[Turn, ...]

    @property
    def issue(self) -> str:
        """The issue in the task, without the harness's instructions around it where they can be told apart."""
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
    """A recorded run. Raises ValueError or OSError for what is none, KeyError, TypeError, IndexError for a torn one."""
    found = json.loads(path.read_text("utf-8", "replace"))
    for knows, reader in _READERS:
        if knows(found):
            run = reader(found)
            if run.turns:
                return run
    raise ValueError("no trajectory of a kind that is known, or one without a reply")


def as_steps(
    run: Recorded, task: str, seen: Callable[[Turn, Sequence[Step]], Sequence[Observation]]
) -> tuple[list[Step], dict[tuple[str, int], Reply]]:
    """The run as records of ours: the task first, and what `seen` makes of each turn after the steps so far."""
    steps = [Step("main", 1, "", "task", "", None, (), (Observation(task),))]
    replies = {}
    for number, turn in enumerate(run.turns, 1):
        replies["main", number] = Reply(turn.text, turn.actions, branch="main", ask=number)
        told = tuple(seen(turn, steps))
        steps.append(Step("main", number + 1, "", "coder", "", number, turn.actions, told))
    return steps, replies


# Chats: mini-swe-agent, OpenAI's form


def _of_chat(found: Any) -> Recorded:
    """Messages in OpenAI's form; commands may stand fenced in the text, as mini-swe-agent 1 has them."""
    said = found["messages"] if isinstance(found, dict) else found
    said = list(takewhile(lambda message: message.get("role") != "exit", said))
    before = list(takewhile(lambda message: message["role"] != "assistant", said))
    system = "\n".join(_text(message) for message in before if message["role"] in ("system", "developer"))
    if isinstance(found, dict) and found.get("tools"):
        system += json.dumps(found["tools"])
    task = "\n".join(_text(message) for message in before if message["role"] not in ("system", "developer"))
    return Recorded(system, task, tuple(_turns(said[len(before) :])))


def _turns(said: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    at = 0
    while at < len(said):
        answers = list(takewhile(lambda message: message["role"] != "assistant", said[at + 1 :]))
        text, actions = called(said[at])
        sent = tuple(map(_text, answers))
        yield Turn(text, actions, sent, tuple(map(_unframed, sent)))
        at += 1 + len(answers)


def called(message: Mapping[str, Any]) -> tuple[str, tuple[Action, ...]]:
    """The text and the actions of a reply; commands that stand in the text are taken out of it."""
    text = _text(message)
    if calls := message.get("tool_calls"):
        named = ((call["function"]["name"], _arguments(call["function"]["arguments"])) for call in calls)
        ids = (str(call.get("id", "")) for call in calls)
        return text, tuple(_as_ours(*each, id) for each, id in zip(named, ids, strict=True))
    known = [action["command"] for action in message.get("extra", {}).get("actions", ())]
    fenced = re.findall(r"```(?:bash|sh|mswea_bash_command)\n(.*?)\n```", text, re.DOTALL)
    commands = known or (fenced if len(fenced) == 1 else [])  # mini-swe-agent 1 does nothing where there are more
    for command in commands:
        text = text.replace(command, "", 1)
    return text, tuple(Action("shell", {"command": command}) for command in commands)


def _unframed(text: str) -> str:
    """An observation of mini-swe-agent without its tags, with a mark where the harness had cut."""
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


def _of_swe_agent(found: Any) -> Recorded:
    """The steps are in `trajectory`; `history` has what was sent, demonstrations before the first reply among it."""
    history = found["history"]
    first = next(
        at for at, message in enumerate(history) if message["role"] == "assistant" and not message.get("is_demo")
    )
    system = "\n".join(_text(message) for message in history[:first] if message["role"] == "system")
    task = "\n".join(_text(message) for message in history[:first] if message["role"] != "system")
    sent = [_text(message) for message in history[first:] if message["role"] != "assistant"]
    turns = []
    for at, step in enumerate(found["trajectory"]):
        raw = step["observation"].replace("\r\n", "\n")
        text = (step["response"] or step["thought"] or "").replace(step["action"].strip(), "", 1)
        told = sent[at] if at < len(sent) else raw
        turns.append(Turn(text, (_swe_agents(step["action"], step.get("state")),), (told,), (raw,)))
    return Recorded(system, task, tuple(turns))


def _swe_agents(command: str, state: Any) -> Action:
    """A command of SWE-agent's own as the tool of ours that does it."""
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


def _of_openhands(found: Any) -> Recorded:
    """The last logged request: `messages` as sent, `fncall_messages` the same with calls apart from the text."""
    sent, plain = found["messages"], [*found["fncall_messages"], found["fncall_response"]["choices"][0]["message"]]
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


def _of_events(found: Any) -> Recorded:
    """A history of events: actions and observations, each action's observation has its id as `cause`."""
    events = found["history"] if isinstance(found, dict) else found
    seen = {event["cause"]: event for event in events if "observation" in event and "cause" in event}
    system, task, turns = "", "", list[Turn]()
    for event in events:
        what, given = event.get("action"), event.get("args") or {}
        if what == "system":
            system = str(given.get("content", "")) + (json.dumps(given["tools"]) if given.get("tools") else "")
        elif what == "message" and event.get("source") == "user" and not turns:
            task += str(given.get("content", ""))
        elif what and event.get("source") == "agent":
            text = str(given.pop("thought", "") or given.get("content", ""))
            raw = str(seen[event["id"]].get("content", "")) if event.get("id") in seen else ""
            turns.append(Turn(text, (_of_event(str(what), given),), (raw,), (_without_notes(raw),)))
    return Recorded(system, task, tuple(turns))


def _of_event(what: str, given: Mapping[str, Any]) -> Action:
    if what == "run":
        return Action("shell", {"command": str(given.get("command", ""))})
    if what in ("read", "edit"):
        command = str(given.get("command") or ("view" if what == "read" else "create"))
        return _as_ours("str_replace_editor", {**given, "command": command}, "")
    return Action(what, dict(given))


def _without_notes(text: str) -> str:
    """Without what OpenHands adds to an output, which our shell tells where it is not as expected."""
    text = re.sub(r"^(?:EXECUTION RESULT of \[\w+\]:|OBSERVATION:)\n", "", text)
    notes = r"\n?\[(?:The command completed with|Command finished with) exit code 0\.?\]|\n?\[Python interpreter: .*\]"
    return re.sub(rf"{notes}|\n?\[Current working directory: .*\]", "", text)


# Trae


def _of_trae(found: Any) -> Recorded:
    """Steps with calls and results; the first request's messages are the prefix."""
    first = found["llm_interactions"][0]["input_messages"]
    system = "\n".join(_text(message) for message in first if message["role"] == "system")
    task = "\n".join(_text(message) for message in first if message["role"] != "system")
    turns = []
    for step in found["agent_steps"]:
        if not (said := step.get("llm_response")):
            continue
        calls = step.get("tool_calls") or ()
        results = {each["call_id"]: each for each in step.get("tool_results") or ()}
        actions = tuple(_as_ours(call["name"], call["arguments"], str(call["call_id"])) for call in calls)
        raw = tuple(_result(results.get(call["call_id"], {})) for call in calls)
        turns.append(Turn(said.get("content") or "", actions, raw, raw))
    return Recorded(system, task, tuple(turns))


def _result(result: Mapping[str, Any]) -> str:
    return "\n".join(filter(None, (result.get("result"), result.get("error"))))


# What formats share


def _as_ours(name: str, given: Mapping[str, Any], id: str) -> Action:
    """A call of another agent's tool as one of ours."""
    if name in ("bash", "execute_bash", "shell", "run", "terminal"):
        return Action("shell", {"command": str(given.get("command", ""))}, id)
    if not name.startswith("str_replace"):
        return Action(name, dict(given), id)
    path = str(given.get("path", ""))
    match given.get("command"):
        case "view":
            window = given.get("view_range") or ()
            window = json.loads(window) if isinstance(window, str) else window
            return Action("view", {"path": path} | dict(zip(("start", "end"), window, strict=False)), id)
        case "str_replace":
            return Action("edit", {"path": path, "old": given.get("old_str", ""), "new": given.get("new_str", "")}, id)
        case "create" | "insert":
            return Action("edit", {"path": path, "new": given.get("file_text") or given.get("new_str") or ""}, id)
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
    return lambda found: isinstance(found, dict) and all(key in found for key in keys)


def _is_list_of(key: str) -> Callable[[Any], bool]:
    return lambda found: isinstance(found, list) and any(isinstance(each, dict) and key in each for each in found)


def _has_events(found: Any) -> bool:
    return isinstance(found, dict) and _is_list_of("observation")(found.get("history"))


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Recorded]], ...] = (
    (_has("agent_steps", "llm_interactions"), _of_trae),
    (_has("fncall_messages", "messages"), _of_openhands),
    (_has("trajectory", "history"), _of_swe_agent),
    (_has("messages"), _of_chat),
    (_has_events, _of_events),
    (_is_list_of("observation"), _of_events),
    (_is_list_of("role"), _of_chat),
)
