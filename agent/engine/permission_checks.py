"""What a run asks before something of the model's leaves the workspace; what may be done is `Engine.approve`'s to say.

In a container nothing is asked: it has no network and no file of this machine. A local workspace is no boundary, so
each command of the model's is asked about there, and so are the tests and imports by which a strategy tries its code.
A tool of another package runs in this process, outside of every workspace, so it is always asked about.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aci.commands import detect_command
from aci.workspace import OURS, is_session_name
from agent.approvals import Approval
from agent.judging import is_gits_own
from agent.traits import is_by_hand
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.engine import Engine
    from agent.task import Task
    from tools.base import Tool
    from trajectories.records import Action

TYPED = "what is typed into a terminal goes to whatever runs there"
PROGRAM = "a program can do whatever a command can"
NODES = "where the tests' names stand in the command depends on its runner"
PLAIN_NODE = re.compile(r"[A-Za-z0-9_./:@=+,\[\]-]+")
UNKNOWN = "what a tool does is not known from its arguments"
GIT_RUNS = "git runs programs that its own files name"
UNASKED = frozenset(("view", "search", "symbols", "undo", "submit"))
"""Built-in tools that only read, or change files of the repository and no others."""
TESTS = "Run the tests of this repository, and those of this change, on this machine?"
TESTED = "Also what of it is imported or checked to see whether the change breaks it. One answer is for the whole turn."
WORKLOAD = "Run this workload and the tests of this repository, again with each change, on this machine?"
REFUSED = "Not tested: you refused."


def refusal(task: Task, tool: Tool, action: Action) -> str:
    """What the model is told instead of the action being run; "" if it may be. Raises Cancelled."""
    approval = _question(task, tool, action)
    if approval is None:
        return ""
    answer = task.engine.approve(approval)
    task.cancel.check()
    return "" if answer.yes else f"The user refused this{f': {answer.reason}' if answer.reason else '.'}"


def _question(task: Task, tool: Tool, action: Action) -> Approval | None:
    """None where there is nothing to ask, or the tool will refuse its arguments itself."""
    built_in = task.engine.toolbox.is_built_in(tool)
    if built_in and (task.settings.workspace != "local" or tool.name in UNASKED):
        return None
    try:
        given: dict[str, Any] = tool.arguments(action.arguments)
    except UsageError:
        return None
    root, detail = task.workspace.root, ""
    match tool.name:
        case "shell":
            title, subject, why = "Run this command on this machine?", given["command"], ""
        case "edit":  # which refuses what lies outside of the repository
            path = given["path"] if is_gits_own(given["path"], root) else ""
            title, subject, why = "Change this file of git's own?", path and shlex.join(["edit", path]), GIT_RUNS
            detail = _replaced(given["old"], given["new"], given["all"])
        case "python":
            title, subject, why = "Run this Python on this machine?", given["code"], PROGRAM
        case "session":
            if not is_session_name(given["name"]):
                return None
            title, subject, why = f"Type this into the terminal {given['name']}?", given["input"], TYPED
        case "run_tests":
            title = "Run tests with this command on this machine?"
            nodes = given["nodes"] or [task.settings.subtree] * bool(task.settings.subtree and not given["command"])
            command = given["command"] or _test_command(task, nodes)
            subject = " ".join(filter(None, (command, shlex.join(nodes)))) if command else ""
            why = NODES if nodes and (given["command"] or not all(map(PLAIN_NODE.fullmatch, nodes))) else ""
        case _:
            whose = "" if built_in else " of another package"
            title, subject, why = f"Run the tool {tool.name}{whose} on this machine?", _call(tool, given), UNKNOWN
    if not subject:
        return None
    folder = task.workspace.folder() if tool.name == "shell" else root
    return Approval("command", title, subject, detail, root=root, folder=folder, why=why, cancel=task.cancel)


def _call(tool: Tool, given: dict[str, Any]) -> str:
    """A call as one line of words, so that a rule which denies `command deploy` is about the tool deploy."""
    values = ((name, value if isinstance(value, str) else json.dumps(value)) for name, value in given.items())
    return shlex.join([tool.name, *(f"{name}={value}" for name, value in values)])


def _replaced(old: str, new: str, everywhere: bool) -> str:
    """The texts of an edit. A mark before each line sets them apart from the words of the question."""
    first = "Old text, wherever it occurs:" if everywhere else "Old text:"
    return "\n".join([first, *_marked("-", old), "New text:", *_marked("+", new)])


def _marked(mark: str, text: str) -> list[str]:
    return [f"{mark} {line}" for line in text.split("\n")] if text else ["(none)"]


def _test_command(task: Task, nodes: Sequence[str] = ()) -> str:
    """The one that is run where none is named; "" where none can be found, so that none is run."""
    try:
        return task.settings.test or detect_command(task.workspace, OURS, nodes)
    except UsageError:
        return ""


def may_test(task: Task, workload: str = "") -> bool:
    """Whether a strategy may try by itself what was changed: run tests, import it, and run the `workload` if there is
    one. Asked once a turn, in a local workspace; never of a turn by the user's own hand. Raises Cancelled."""
    engine = task.engine
    if task.settings.workspace != "local" or task.by_hand or is_by_hand(task.turn.strategy):
        return True
    with engine.testing:
        if engine.may_test is None:
            tests = _test_command(task) or "python"  # which imports all the same
            title, command = (WORKLOAD, f"{workload}\n{tests}") if workload else (TESTS, tests)
            root = task.workspace.root
            ask = Approval("command", title, command, TESTED, root=root, folder=root, cancel=task.cancel)
            answer = engine.approve(ask)
            task.cancel.check()
            engine.may_test = answer.yes
        return engine.may_test


def may_set_up(engine: Engine, image: str, commands: Sequence[str], hosts: Sequence[str]) -> bool:
    """Whether the environment may be set up with the hosts within reach. Raises Cancelled."""
    ask = Approval(
        "network",
        "Set up the environment of the tests, with package registries within reach?",
        subject="\n".join(hosts),
        detail="\n".join([f"In the image {image}:", *commands, "", "Hosts within reach:", *hosts]),
        cancel=engine.cancel,
    )
    answer = engine.approve(ask)
    engine.cancel.check()
    return answer.yes
