"""Our side of a replay: our prompt and tool schemas, our first message, and outputs as our tools show them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import agent.strategies
from aci.observation.output_kinds import kind_of
from aci.observation.output_text import prepare_output
from aci.runtime.workspace import Workspace
from agent.conversation.messages import Reader
from agent.models.base import Message
from extensions.lab.request_replay import replay_requests
from tools.base import Context, Toolbox
from tools.edit import _diff as edit_diff
from trajectories.records import Action, Base, Observation, Record, Reply, Step, Turn
from trajectories.trajectory import Trajectory

CACHED = 0.1
"""Price of a cached input token, one in a prefix shared with the previous request, relative to others."""
FACTS = 2_200
"""Characters that our first message adds to an issue: layout, test command, ten places with reasons. Two recorded runs
on issues of pylint have 1,977 and 2,317."""
_NUMBERED = re.compile(r" *(\d+)\t(.*)")
_HEADER = re.compile(r"Here's the result of running `cat -n` on .*:\n")
_REVIEW_NOTE = re.compile(r"\n?Review the changes and make sure .*$", re.DOTALL)


@cache
def system() -> str:
    """Return the prompt of the default strategy."""
    folder = Path(next(iter(agent.strategies.__path__)))
    return (folder / "test_then_patch.coder.txt").read_text("utf-8")


def requests(system: str, steps: Sequence[Step], replies: Mapping[tuple[str, int], Reply]) -> Iterator[list[Message]]:
    """Yield the request that each reply of a branch would have answered, in order."""
    records: list[Record] = [Turn("", "", prompts={"coder": system})]
    for step in steps:
        records += [step] if step.reply is None else [replies[step.branch, step.reply], step]
    return replay_requests(Trajectory(records), steps[0].branch, lambda *_: Reader("", cached=CACHED))


@cache
def tools() -> int:
    """Return the number of characters in the schemas of all tools."""
    return len(json.dumps(Toolbox().schemas()))


def facts(issue: str) -> str:
    """Return our first message for an issue; blanks replace the facts, so that none of them counts as visible."""
    return f"<issue>\n{issue}\n</issue>\n{' ' * FACTS}"


def build_observation(action: Action, raw: str, steps: Sequence[Step] = ()) -> Observation:
    """Return an output as our tool for the action would show it after the previous steps."""
    if action.tool == "view" and (lines := _numbered_lines(raw)):
        return _view(action, lines, steps)
    if action.tool == "edit" and (lines := _numbered_lines(raw[raw.find("Here's the result") :])):
        return _edit(action, lines)
    kind = "view" if action.tool == "view" and _NUMBERED.match(raw) else kind_of(_command(action), raw.encode())
    text, out = prepare_output(raw, kind, lambda _: 1)
    return Observation(text or "(no output)", out=out)


def _command(action: Action) -> str:
    """Return a command line with the same kind of output as the action."""
    match action.tool:
        case "shell":
            return str(action.arguments.get("command", ""))
        case "view":
            return "ls -R"
        case "search":
            return "grep -rn x ."
    return action.tool


def _numbered_lines(raw: str) -> dict[int, str]:
    """Return the lines of a file shown with numbers; empty for other outputs and if the harness truncated it."""
    lines = _REVIEW_NOTE.sub("", _HEADER.sub("", raw)).rstrip("\n").split("\n")
    numbered = [_NUMBERED.fullmatch(line.rstrip("\r")) for line in lines]
    found = {int(each[1]): each[2] for each in numbered if each}
    return found if len(found) == len(lines) else {}


@dataclass(frozen=True)
class _OneFile:
    """A workspace that returns the same data for every path."""

    data: bytes
    root: str = "/"

    def read(self, path: str) -> bytes:
        return self.data


def _view(action: Action, lines: dict[int, str], steps: Sequence[Step]) -> Observation:
    """Show the lines with our tool: a range if one was requested or line 1 is missing, else the whole file."""
    first, last = min(lines), max(lines)
    text = "".join(f"{lines.get(number, '')}\n" for number in range(1, last + 1))
    arguments: dict[str, Any] = {"path": action.arguments.get("path", "file")}
    if first > 1 or "start" in action.arguments:
        arguments |= {"start": first, "end": last}
    workspace = cast(Workspace, _OneFile(text.encode("utf-8", "replace")))
    ctx = Context(workspace, cast(Any, None), Base("", ""), "", steps, lambda _: 1, lambda _: b"")
    return Toolbox(["view"]).run(Action("view", arguments), ctx)


def _edit(action: Action, lines: dict[int, str]) -> Observation:
    """Show an edit as our tool does, as a diff; the file before it is restored from the lines shown after it."""
    after = "".join(f"{lines.get(number, '')}\n" for number in range(1, max(lines) + 1))
    old, new = str(action.arguments.get("old", "")), str(action.arguments.get("new", ""))
    before = after.replace(new, old, 1) if new else after
    return Observation(f"Edited {action.arguments.get('path')}\n{edit_diff(before, after)}")
