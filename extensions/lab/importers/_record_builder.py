"""Shared code of the import formats: a builder for records, and lenient conversion of values of unexpected types."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from trajectories.errors import UsageError
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
from trajectories.trajectory import Message

PATCH = "patch"
"""Name of the result record that contains the diff submitted by the other program."""
UNPROVEN = 6
LONGEST_TITLE = 200
LONGEST_WORD = 100
"""Maximum number of characters of another program's exit status that are kept."""
MOST_ENTRIES = 50_000
"""Maximum number of messages or steps of a trajectory, and of records made from them. Agents usually stop after a few
hundred steps."""
DEEPEST = 100
"""Maximum nesting depth of a JSON value."""
TAGS = ("pr_description", "issue_description", "issue", "uploaded_issue")
MARKS = (("\nISSUE:", "\nINSTRUCTIONS:"), ("Please solve this issue:", "\nYou can execute"))
"""Text before and after the issue in prompts of other programs."""
LEAD = "Consider the following PR description:"
INSTANCE = re.compile(r"((?:(?!__)[\w.-])+)__((?:(?!__)[\w.-])+)-\d+")
ROLES = ("system", "developer", "user", "assistant", "tool")


class Recording:
    """Builder for the records of one run. Times that are missing in a file are 0."""

    def __init__(self, name: str, program: str, task: str, system: str, model: str, **about: Any) -> None:
        """`task` is the first message, which contains the issue; `about` may contain `settings`, `versions` and
        `at`."""
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
        """Start another branch: later records belong to it."""
        self.branch, self._steps, self._asks = branch, 0, 0

    def say(self, text: str, at: float = 0.0, author: str = "task") -> None:
        """Add a message from the program to the model that is not the result of an action."""
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
        """Add a reply and the results of its actions; `at` holds the times of the reply and of the last result."""
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
        """Return the diff that the program submitted, including tests."""
        given = (record.value for record in self.records if isinstance(record, Once) and record.name == PATCH)
        return Patch(source=next(given, ""))

    def end(self, status: str, patch: str, message: str = "", at: float = 0.0) -> None:
        """Record the end of the run, with the program's own status and the diff that it submitted."""
        if patch:
            self.records.append(Once("main", PATCH, patch, at))
        if status or patch:
            kind = foreign_status(status) if status else "submitted"
            self.records.append(Exit(kind, UNPROVEN if patch else 1, message=message, at=at))


def issue_in(task: str, name: str) -> Issue:
    """Return the issue from the first message, without the instructions around it if they can be recognised."""
    title, _, body = _issue_text(task).strip().removeprefix(LEAD).strip().partition("\n")
    return Issue(title.strip()[:LONGEST_TITLE] or name, body.strip(), trust="stranger")


def _issue_text(task: str) -> str:
    """Return the issue without the text around it. Regular expressions are not used, because untrusted text could make
    them take hours."""
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


def foreign_status(status: str) -> str:
    """Return another program's exit status with a prefix that distinguishes it from this program's own statuses, since
    nothing was proven."""
    return f"called {' '.join(status.lower().split())[:LONGEST_WORD]}"


# Values


def writable_value(value: Any, depth: int = 0) -> Any:
    """Return the value in a form that can be written as JSON: lone surrogates are replaced, and NaN and infinity become
    strings. Raises UsageError for a value nested deeper than DEEPEST."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list | dict) and depth >= DEEPEST:
        raise UsageError(f"A value is nested deeper than {DEEPEST} levels.", "Name another file.")
    if isinstance(value, list):
        return [writable_value(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {writable_value(key): writable_value(each, depth + 1) for key, each in value.items()}
    return value


def text(value: Any) -> str:
    """Return the text of a message, or of its parts, with a placeholder for each part that is not text."""
    value = writable_value(value)
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
    """Return the value as a list of objects, or an empty list if it is not a list. Raises UsageError if an entry is not
    an object."""
    found = value if isinstance(value, list) else []
    _check_entries(len(found))
    for number, each in enumerate(found, 1):
        if not isinstance(each, dict):
            raise UsageError(f"Entry {number} of the {what} is not an object.", "The file is damaged or no trajectory.")
    return found


def _check_entries(count: int) -> None:
    if count > MOST_ENTRIES:
        what = f"The trajectory has more than {MOST_ENTRIES:,} messages and steps."
        raise UsageError(what, "Name a trajectory of one run.")


def number(value: Any) -> float:
    """Return the value as a number, or 0 if it is not a valid one."""
    return dollars(value) or 0.0


def dollars(value: Any) -> float | None:
    """Return the value as an amount in dollars, or None for an unknown amount if it is not valid."""
    try:
        known = isinstance(value, int | float) and math.isfinite(value) and value >= 0
    except OverflowError:  # the integer has hundreds of digits
        known = False
    return float(value) if known else None


def parse_calls(calls: Any) -> list[Action]:
    """Return the actions for tool calls in the format of OpenAI's Chat Completions or Responses API."""
    return [_called(mapping(call)) for call in (calls if isinstance(calls, list) else [])]


def _called(call: Mapping[str, Any]) -> Action:
    function = mapping(call.get("function")) or call
    id, given = text(call.get("call_id") or call.get("id")), function.get("arguments")
    try:
        read = json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        read = None
    arguments = writable_value(read) if isinstance(read, dict) else {"unread": text(given)}
    return Action(text(function.get("name")), arguments, id)


def reasoning_text(message: Mapping[str, Any]) -> str:
    """Return the parts of a reply's reasoning that are text."""
    blocks = message.get("thinking_blocks")
    texts = [text(mapping(each).get("thinking")) for each in (blocks if isinstance(blocks, list) else [])]
    return "\n".join(filter(None, texts)) or text(message.get("reasoning_content") or message.get("reasoning"))


def sent_messages(said: Sequence[Any]) -> list[Message]:
    """Return messages as they were sent to the model, without the program's own fields. Return an empty list if a
    message is not in a form that a model accepts, because it is then unknown what was sent."""
    found = [_sent(mapping(message)) for message in said]
    return [message for message in found if message] if all(found) else []


def _sent(message: Mapping[str, Any]) -> Message:
    """Return a message as it was sent; empty if it is not a valid message."""
    role, content, ids = message.get("role"), message.get("content"), message.get("tool_call_ids")
    calls = message.get("tool_calls") or []
    parts = content if isinstance(content, list) else []
    if role not in ROLES or not isinstance(calls, list) or not all(map(_is_call, calls)):
        return {}
    if not all(isinstance(part, dict) and isinstance(part.get("type"), str) for part in parts):
        return {}
    if isinstance(content, list):
        shown: Any = [
            {key: writable_value(value) for key, value in part.items() if key != "cache_control"} for part in parts
        ]
        if len(shown) == 1 and shown[0].keys() == {"type", "text"}:  # the form before it was marked for caching
            shown = shown[0]["text"]
    elif isinstance(content, str) or (content is None and role == "assistant"):
        shown = text(content)
    else:
        return {}
    result: Message = {"role": role, "content": shown}
    if role == "assistant" and calls:
        result["tool_calls"] = [_call(call) for call in calls]
    if role == "tool":
        result["tool_call_id"] = text(message.get("tool_call_id") or (ids[0] if isinstance(ids, list) and ids else ""))
    return result if role != "tool" or result["tool_call_id"] else {}


def _is_call(call: Any) -> bool:
    function = mapping(mapping(call).get("function"))
    values = (mapping(call).get("id"), function.get("name"), function.get("arguments"))
    return all(isinstance(value, str) for value in values) and bool(values[0])


def _call(call: Mapping[str, Any]) -> Message:
    function = {"name": text(call["function"]["name"]), "arguments": text(call["function"]["arguments"])}
    return {"id": text(call["id"]), "type": "function", "function": function}
