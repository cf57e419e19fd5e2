"""Questions to the user before an action of the model has effects outside a container. `Engine.approve` decides.

Actions in a container need no permission, since it has no network and no access to this machine's files. A local
workspace is not isolated, so the user is asked about each command of the model, and once per turn whether strategies
may run tests and import the changed code. A tool of another package runs in this process, outside any workspace, so the
user is always asked about it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from aci.runtime.workspace import HARNESS_SESSION, is_session_name
from aci.testing.suite_command import detect_command
from agent.permissions.approvals import Approval
from agent.permissions.decisions import is_git_file
from agent.run_state.strategy_traits import is_by_hand
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from threading import Lock

    from aci.runtime.workspace import Workspace
    from agent.limits.cancellation import CancellationToken
    from agent.permissions.approvals import Approve
    from agent.run_state.turn_input import TurnInput
    from tools.base import Tool, Toolbox
    from trajectories.records import Action

TERMINAL_REASON = "input to a terminal goes to whatever program runs there"
PROGRAM_REASON = "a program can do whatever a command can"
NODES_REASON = "where the command takes names of tests depends on its runner"
PLAIN_NODE = re.compile(r"[A-Za-z0-9_./:@=+,\[\]-]+")
TOOL_REASON = "the arguments do not show what the tool does"
GIT_REASON = "git's own files can name programs that git runs"
SAFE_TOOLS = frozenset(("view", "search", "symbols", "undo", "submit"))
"""Built-in tools that only read, or that change only files of the repository."""
TESTS_QUESTION = "Run the tests of this repository, and those of this change, on this machine?"
TESTS_DETAIL = "This includes imports and checks of the changed code. The answer holds for the whole turn."
WORKLOAD_QUESTION = "Run this workload and the tests of this repository, again with each change, on this machine?"
REFUSED = "Not tested: permission was denied."


class Permissions(Protocol):
    """The parts of a run that decide on permissions."""

    approve: Approve
    toolbox: Toolbox
    may_test: bool | None
    testing: Lock


class ActingBranch(Protocol):
    """The parts of a branch that questions about its actions depend on."""

    turn: TurnInput
    cancel: CancellationToken
    by_hand: bool

    @property
    def engine(self) -> Permissions: ...
    @property
    def workspace(self) -> Workspace: ...


def refusal(branch: ActingBranch, tool: Tool, action: Action) -> str:
    """Return why the action is not run; "" if it may run. Raises Cancelled."""
    approval = _question(branch, tool, action)
    if approval is None:
        return ""
    answer = branch.engine.approve(approval)
    branch.cancel.check()
    return "" if answer.yes else f"The user refused this{f': {answer.reason}' if answer.reason else '.'}"


def _question(branch: ActingBranch, tool: Tool, action: Action) -> Approval | None:
    """Return the question to the user; None if no permission is needed or the tool will reject the arguments itself."""
    built_in = branch.engine.toolbox.is_built_in(tool)
    if built_in and (branch.turn.settings.workspace != "local" or tool.name in SAFE_TOOLS):
        return None
    try:
        given: dict[str, Any] = tool.arguments(action.arguments)
    except UsageError:
        return None
    root, detail = branch.workspace.root, ""
    match tool.name:
        case "shell":
            title, subject, why = "Run this command on this machine?", given["command"], ""
        case "edit":  # the tool itself refuses files outside the repository
            path = given["path"] if is_git_file(given["path"], root) else ""
            title, subject, why = (
                "Change this file that belongs to git?",
                path and shlex.join(["edit", path]),
                GIT_REASON,
            )
            detail = _edit_texts(given["old"], given["new"], given["all"])
        case "python":
            title, subject, why = "Run this Python on this machine?", given["code"], PROGRAM_REASON
        case "session":
            if not is_session_name(given["name"]):
                return None
            title, subject, why = f"Type this into the terminal {given['name']}?", given["input"], TERMINAL_REASON
        case "run_tests":
            title = "Run tests with this command on this machine?"
            nodes = given["nodes"] or [branch.turn.settings.subtree] * bool(
                branch.turn.settings.subtree and not given["command"]
            )
            command = given["command"] or _test_command(branch, nodes)
            subject = " ".join(filter(None, (command, shlex.join(nodes)))) if command else ""
            why = NODES_REASON if nodes and (given["command"] or not all(map(PLAIN_NODE.fullmatch, nodes))) else ""
        case _:
            whose = "" if built_in else " of another package"
            title, subject, why = f"Run the tool {tool.name}{whose} on this machine?", _call(tool, given), TOOL_REASON
    if not subject:
        return None
    folder = branch.workspace.folder() if tool.name == "shell" else root
    return Approval("command", title, subject, detail, root=root, folder=folder, why=why, cancel=branch.cancel)


def _call(tool: Tool, given: dict[str, Any]) -> str:
    """Return a tool call formatted like a shell command, so that a rule that denies `command deploy` also applies to
    the tool `deploy`."""
    values = ((name, value if isinstance(value, str) else json.dumps(value)) for name, value in given.items())
    return shlex.join([tool.name, *(f"{name}={value}" for name, value in values)])


def _edit_texts(old: str, new: str, everywhere: bool) -> str:
    """Return the old and new text of an edit, with a prefix on each line to distinguish them from the question."""
    first = "Old text, wherever it occurs:" if everywhere else "Old text:"
    return "\n".join([first, *_prefix_lines("-", old), "New text:", *_prefix_lines("+", new)])


def _prefix_lines(mark: str, text: str) -> list[str]:
    return [f"{mark} {line}" for line in text.split("\n")] if text else ["(none)"]


def _test_command(branch: ActingBranch, nodes: Sequence[str] = ()) -> str:
    """Return the configured or detected test command; "" if none is detected."""
    try:
        return branch.turn.settings.test or detect_command(branch.workspace, HARNESS_SESSION, nodes)
    except UsageError:
        return ""


def may_test(branch: ActingBranch, workload: str = "") -> bool:
    """Return whether a strategy may execute the changed code: run tests, import modules and run the `workload`, if
    there is one.

    The user is asked once per turn, in local workspaces only, and never in turns in which only the user changed files.
    Raises Cancelled.
    """
    engine = branch.engine
    if branch.turn.settings.workspace != "local" or branch.by_hand or is_by_hand(branch.turn.strategy):
        return True
    with engine.testing:
        if engine.may_test is None:
            tests = _test_command(branch) or "python"  # without a test command, imports still need permission
            title, command = (WORKLOAD_QUESTION, f"{workload}\n{tests}") if workload else (TESTS_QUESTION, tests)
            root = branch.workspace.root
            ask = Approval("command", title, command, TESTS_DETAIL, root=root, folder=root, cancel=branch.cancel)
            answer = engine.approve(ask)
            branch.cancel.check()
            engine.may_test = answer.yes
        return engine.may_test


def may_set_up(
    approve: Approve, cancel: CancellationToken, image: str, commands: Sequence[str], hosts: Sequence[str]
) -> bool:
    """Return whether the environment may be set up with access to these hosts. Raises Cancelled."""
    ask = Approval(
        "network",
        "Set up the environment of the tests, with access to package registries?",
        subject="\n".join(hosts),
        detail="\n".join([f"In the image {image}:", *commands, "", "Reachable hosts:", *hosts]),
        cancel=cancel,
    )
    answer = approve(ask)
    cancel.check()
    return answer.yes
