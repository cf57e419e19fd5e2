"""What the formats share: records made in order, and values of whatever type taken for what they should be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from trajectories.errors import UsageError
from trajectories.material import Message
from trajectories.records import (
    Action,
    Base,
    Exit,
    Hold,
    Issue,
    Note,
    Observation,
    Once,
    Patch,
    Record,
    Reply,
    Run,
    Settle,
    Step,
    Turn,
    Usage,
)

PATCH = "patch"
"""Name of the result that holds the diff which the other program gave as its answer."""
UNPROVEN = 6
LONGEST_TITLE = 200
LONGEST_WORD = 100
"""Characters of what a program calls its run's end."""
MOST_ENTRIES = 50_000
"""Messages or steps of a trajectory, and records that are made of them. Agents stop after some hundred steps."""
DEEPEST = 100
"""Levels of a value that is kept."""
TAGS = ("pr_description", "issue_description", "issue", "uploaded_issue")
MARKS = (("\nISSUE:", "\nINSTRUCTIONS:"), ("Please solve this issue:", "\nYou can execute"))
"""What stands before an issue, and behind it."""
LEAD = "Consider the following PR description:"
INSTANCE = re.compile(r"((?:(?!__)[\w.-])+)__((?:(?!__)[\w.-])+)-\d+")
ROLES = ("system", "developer", "user", "assistant", "tool")


class Recording:
    """Records of one run in the making. Times that a file does not tell are 0."""

    def __init__(self, name: str, program: str, task: str, system: str, model: str, **about: Any) -> None:
        """`task` is the first message, which holds the issue; `about` has `settings`, `versions` and `at`."""
        repository = "/".join(found.groups()) if (found := INSTANCE.fullmatch(name)) else ""
        prompts = {"coder": system} if system else {}
        settings = {"strategy": program, "workspace": "", **about.get("settings", {})}
        issue, versions, at = issue_in(task, name), about.get("versions", {}), about.get("at", 0.0)
        self.model, self.branch = model, "main"
        self.records: list[Record] = [
            Run(name, issue, repository, Base("", ""), settings, versions, prompts, at=at),
            Turn(issue.text, program, {"coder": model} if model else {}, at=at),
        ]
        self._steps = self._asks = 0

    def on(self, branch: str) -> None:
        """What follows happened on another branch, which begins with it."""
        self.branch, self._steps, self._asks = branch, 0, 0

    def say(self, text: str, at: float = 0.0, author: str = "task") -> None:
        """What the program told the model, beside the answers to its actions."""
        if text:
            self._step(Step(self.branch, 0, "", author, "", None, (), (Observation(text),), at=at))

    def answer(
        self,
        text: str,
        actions: Sequence[Action],
        observations: Sequence[Observation],
        reasoning: str = "",
        usage: Usage | None = None,
        at: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """A reply and what its actions brought; `at` is when it was said and when they were done."""
        self._asks += 1
        if usage is not None:
            tokens = usage.input_tokens + usage.output_tokens
            hold = Hold(self.branch, self._asks, 1, self.model, usage.dollars, tokens, at[0])
            self.records += [hold, Settle(hold.id, usage, usage.dollars, "usage", at[0])]
        said = Reply(text, tuple(actions), reasoning, (), self.model, usage, self.branch, self._asks, at[0])
        self.records.append(said)
        step = Step(self.branch, 0, "", "coder", "", self._asks, said.actions, tuple(observations), at=at[1])
        self._step(step)

    def _step(self, step: Step) -> None:
        _check_entries(len(self.records))
        self._steps += 1
        parent = f"{self.branch}#{self._steps - 1}" if self._steps > 1 else ""
        self.records.append(
            Step(
                step.branch,
                self._steps,
                parent,
                step.author,
                "",
                step.reply,
                step.actions,
                step.observations,
                at=step.at,
            )
        )

    def note(self, kind: str, text: str, **data: Any) -> None:
        self.records.append(Note(self.branch, kind, text, data, at=0.0))

    def patch(self) -> Patch:
        """The diff that the program gave as its answer, tests and all."""
        given = (record.value for record in self.records if isinstance(record, Once) and record.name == PATCH)
        return Patch(source=next(given, ""))

    def end(self, status: str, patch: str, message: str = "", at: float = 0.0) -> None:
        """How it ended, in the program's word, with the diff that it gave as its answer."""
        if patch:
            self.records.append(Once("main", PATCH, patch, at))
        if status or patch:
            kind = so_called(status) if status else "handed in"
            self.records.append(Exit(kind, UNPROVEN if patch else 1, message=message, at=at))


def issue_in(task: str, name: str) -> Issue:
    """The issue that a first message holds, without the instructions around it where they can be told apart."""
    title, _, body = _told_apart(task).strip().removeprefix(LEAD).strip().partition("\n")
    return Issue(title.strip()[:LONGEST_TITLE] or name, body.strip(), trust="stranger")


def _told_apart(task: str) -> str:
    """Without patterns: a stranger's text may make those take hours."""
    for tag in sorted(TAGS, key=lambda tag: task.find(f"<{tag}>")):
        _, begun, rest = task.partition(f"<{tag}>")
        found, ended, _ = rest.partition(f"</{tag}>")
        if begun and ended:
            return found
    for before, behind in MARKS:
        _, begun, rest = task.partition(before)
        if begun:
            return rest.partition(behind)[0]
    return task


def so_called(status: str) -> str:
    """How another program says that its run ended, never to be taken for a word of ours: nothing was proven here."""
    return f"called {' '.join(status.lower().split())[:LONGEST_WORD]}"


# Values


def sound(value: Any, depth: int = 0) -> Any:
    """The same with what can be written: half a surrogate pair is replaced, a figure that is none becomes text. Raises
    UsageError past DEEPEST."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list | dict) and depth >= DEEPEST:
        raise UsageError(f"A value is nested deeper than {DEEPEST} levels.", "The file is no trajectory; read another.")
    if isinstance(value, list):
        return [sound(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {sound(key): sound(each, depth + 1) for key, each in value.items()}
    return value


def text(value: Any) -> str:
    """What a message says: a text, or the texts of its parts, with a word for each that is none."""
    value = sound(value)
    if isinstance(value, list):
        return "\n".join(map(_part, value))
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _part(part: Any) -> str:
    if not isinstance(part, dict):
        return text(part)
    said = next((part[key] for key in ("text", "content", "thinking") if isinstance(part.get(key), str)), None)
    return said if said is not None else f"[{text(part.get('type', 'something'))}]"


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def messages(value: Any, what: str) -> list[Mapping[str, Any]]:
    """A list of objects. Raises UsageError where it is another thing."""
    found = value if isinstance(value, list) else []
    _check_entries(len(found))
    for number, each in enumerate(found, 1):
        if not isinstance(each, dict):
            raise UsageError(f"Entry {number} of the {what} is no object.", "The file is damaged, or of another kind.")
    return found


def _check_entries(count: int) -> None:
    if count > MOST_ENTRIES:
        what = f"The trajectory has more than {MOST_ENTRIES:,} messages and steps."
        raise UsageError(what, "Name a trajectory of one run.")


def number(value: Any) -> float:
    """A figure, 0 for what is none."""
    return dollars(value) or 0.0


def dollars(value: Any) -> float | None:
    """An amount; None for what is none, as nobody then knows it."""
    try:
        known = isinstance(value, int | float) and math.isfinite(value) and value >= 0
    except OverflowError:  # an integer of hundreds of digits
        known = False
    return float(value) if known else None


def called(calls: Any) -> list[Action]:
    """Calls in OpenAI's form, of the chat protocol or the later one."""
    return [_called(mapping(call)) for call in (calls if isinstance(calls, list) else [])]


def _called(call: Mapping[str, Any]) -> Action:
    function = mapping(call.get("function")) or call
    id, given = text(call.get("call_id") or call.get("id")), function.get("arguments")
    try:
        read = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        read = None
    arguments = sound(read) if isinstance(read, dict) else {"unread": text(given)}
    return Action(text(function.get("name")), arguments, id)


def thoughts(message: Mapping[str, Any]) -> str:
    """What a reply thought before it spoke, as far as it is told in words."""
    blocks = message.get("thinking_blocks")
    told = [text(mapping(each).get("thinking")) for each in (blocks if isinstance(blocks, list) else [])]
    return "\n".join(filter(None, told)) or text(message.get("reasoning_content") or message.get("reasoning"))


def sent(said: Sequence[Any]) -> list[Message]:
    """Messages as a model was sent them, without what a program kept beside them; none where one of them is of no form
    that a model could have read, as then nobody knows what was sent."""
    told = [_sent(mapping(message)) for message in said]
    return [message for message in told if message] if all(told) else []


def _sent(message: Mapping[str, Any]) -> Message:
    """Empty for what is no message."""
    role, content, ids = message.get("role"), message.get("content"), message.get("tool_call_ids")
    calls = message.get("tool_calls") or []
    parts = content if isinstance(content, list) else []
    if role not in ROLES or not isinstance(calls, list) or not all(map(_is_call, calls)):
        return {}
    if not all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in parts):
        return {}
    if isinstance(content, list):
        shown: Any = [{key: sound(value) for key, value in part.items() if key != "cache_control"} for part in parts]
        if len(shown) == 1 and shown[0].keys() == {"type", "text"}:  # as it was sent before it was to be cached
            shown = shown[0]["text"]
    elif isinstance(content, str) or (content is None and role == "assistant"):
        shown = text(content)
    else:
        return {}
    told: Message = {"role": role, "content": shown}
    if role == "assistant" and calls:
        told["tool_calls"] = [_call(call) for call in calls]
    if role == "tool":
        told["tool_call_id"] = text(message.get("tool_call_id") or (ids[0] if isinstance(ids, list) and ids else ""))
    return told if role != "tool" or told["tool_call_id"] else {}


def _is_call(call: Any) -> bool:
    function = mapping(mapping(call).get("function"))
    values = (mapping(call).get("id"), function.get("name"), function.get("arguments"))
    return all(isinstance(value, str) for value in values) and bool(values[0])


def _call(call: Mapping[str, Any]) -> Message:
    function = {"name": text(call["function"]["name"]), "arguments": text(call["function"]["arguments"])}
    return {"id": text(call["id"]), "type": "function", "function": function}
