"""Our side of a replay: our prompt and tools' schemas, our first message, and outputs as our tools show them."""

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
from agent.runs.request_replay import replay_requests
from tools.base import Context, Toolbox
from tools.edit import _diff as edit_diff
from trajectories.records import Action, Base, Observation, Record, Reply, Step, Turn
from trajectories.trajectory import Trajectory

CACHED = 0.1
"""What a token costs that the request before began with, relative to others."""
FACTS = 2_200
"""Characters that our first message adds to an issue: layout, how tests are run, ten places with reasons. As many as in
two recorded runs on pylint's issues (1,977 and 2,317)."""
_NUMBERED = re.compile(r" *(\d+)\t(.*)")
_HEADED = re.compile(r"Here's the result of running `cat -n` on .*:\n")
_REVIEW = re.compile(r"\n?Review the changes and make sure .*$", re.DOTALL)


@cache
def system() -> str:
    """The prompt of the default strategy."""
    folder = Path(next(iter(agent.strategies.__path__)))
    return (folder / "test_then_patch.coder.txt").read_text("utf-8")


def requests(system: str, steps: Sequence[Step], replies: Mapping[tuple[str, int], Reply]) -> Iterator[list[Message]]:
    """What each ask of a branch would have been sent, in order."""
    records: list[Record] = [Turn("", "", prompts={"coder": system})]
    for step in steps:
        records += [step] if step.reply is None else [replies[step.branch, step.reply], step]
    return replay_requests(Trajectory(records), steps[0].branch, lambda *_: Reader("", cached=CACHED))


@cache
def tools() -> int:
    """Characters of all tools' schemas."""
    return len(json.dumps(Toolbox().schemas()))


def facts(issue: str) -> str:
    """Our first message for an issue; the facts are blank, so that nothing of them counts as seen."""
    return f"<issue>\n{issue}\n</issue>\n{' ' * FACTS}"


def seen(action: Action, raw: str, steps: Sequence[Step] = ()) -> Observation:
    """An output as our tool for the action shows it after the steps so far."""
    if action.tool == "view" and (lines := _file(raw)):
        return _viewed(action, lines, steps)
    if action.tool == "edit" and (lines := _file(raw[raw.find("Here's the result") :])):
        return _edited(action, lines)
    kind = "view" if action.tool == "view" and _NUMBERED.match(raw) else kind_of(_command(action), raw.encode())
    text, out = prepare_output(raw, kind, lambda _: 1)
    return Observation(text or "(no output)", out=out)


def _command(action: Action) -> str:
    """The command line whose output an action's is like."""
    match action.tool:
        case "shell":
            return str(action.arguments.get("command", ""))
        case "view":
            return "ls -R"
        case "search":
            return "grep -rn x ."
    return action.tool


def _file(raw: str) -> dict[int, str]:
    """The lines of a file shown with numbers; none where it is something else, or was cut by its harness."""
    lines = _REVIEW.sub("", _HEADED.sub("", raw)).rstrip("\n").split("\n")
    numbered = [_NUMBERED.fullmatch(line.rstrip("\r")) for line in lines]
    found = {int(each[1]): each[2] for each in numbered if each}
    return found if len(found) == len(lines) else {}


@dataclass(frozen=True)
class _OneFile:
    """A workspace that has one file, whatever its name."""

    data: bytes

    def read(self, path: str) -> bytes:
        return self.data


def _viewed(action: Action, lines: dict[int, str], steps: Sequence[Step]) -> Observation:
    """The lines through our tool: a window where one was asked for or begins below the top, else the whole file."""
    first, last = min(lines), max(lines)
    text = "".join(f"{lines.get(number, '')}\n" for number in range(1, last + 1))
    given: dict[str, Any] = {"path": action.arguments.get("path", "file")}
    if first > 1 or "start" in action.arguments:
        given |= {"start": first, "end": last}
    place = cast(Workspace, _OneFile(text.encode("utf-8", "replace")))
    ctx = Context(place, cast(Any, None), Base("", ""), "", steps, lambda _: 1, lambda _: b"")
    return Toolbox(["view"]).run(Action("view", given), ctx)


def _edited(action: Action, lines: dict[int, str]) -> Observation:
    """An edit through our tool, which answers with its diff; the old text is put back into what was shown after it."""
    after = "".join(f"{lines.get(number, '')}\n" for number in range(1, max(lines) + 1))
    old, new = str(action.arguments.get("old", "")), str(action.arguments.get("new", ""))
    before = after.replace(new, old, 1) if new else after
    return Observation(f"Edited {action.arguments.get('path')}\n{edit_diff(before, after)}")
