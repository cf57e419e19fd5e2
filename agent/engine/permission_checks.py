"""Questions to the user before an action of the model has effects outside a container. `Engine.approve` decides.

Actions in a container need no permission, since it has no network and no access to this machine's files. A local
workspace is not isolated, so the user is asked about each command of the model, and once per turn whether strategies
may run tests and import the changed code. A tool of another package runs in this process, outside any workspace, so the
user is always asked about it. So do the tools of MCP servers, which may do anything that the user can.

Changes of other paths than a turn may change are refused in advance where possible, and reverted otherwise.
"""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from aci.observation.untrusted_text import one_line
from aci.proof.proof_run import format_names
from aci.runtime.workspace import HARNESS_SESSION
from aci.testing.suite_command import detect_command
from agent.permissions.approvals import Approval
from agent.run_state.strategy_traits import is_by_hand
from tools.base import ConsentQuestion, ToolCall
from trajectories.errors import UsageError
from trajectories.records import Action, Observation

if TYPE_CHECKING:
    from threading import Lock

    from aci.runtime.workspace import Workspace
    from agent.engine.base_instructions import BaseInstructions
    from agent.limits.cancellation import CancellationToken
    from agent.permissions.approvals import Approve
    from agent.run_state.turn_state import TurnInput
    from tools.base import Tool, Toolbox
    from trajectories.git_store.trees import Trees

TOOL_REASON = "the arguments do not show what the tool does"
TESTS_QUESTION = "Run the tests of this repository, and those of this change, on this machine?"
TESTS_DETAIL = "This includes imports and checks of the changed code. The answer holds for the whole turn."
WORKLOAD_QUESTION = "Run this workload and the tests of this repository, again with each change, on this machine?"
EXAMPLE_QUESTION = "Run the issue's example on this machine?"
REFUSED = "Not tested: permission was denied."


class PermissionContext(Protocol):
    """The parts of a run that decide on permissions."""

    approve: Approve
    toolbox: Toolbox
    may_test: bool | None
    testing: Lock
    base_instructions: BaseInstructions


class ActingBranch(Protocol):
    """The parts of a branch that questions about its actions depend on."""

    turn: TurnInput
    cancel: CancellationToken
    by_hand: bool

    @property
    def engine(self) -> PermissionContext: ...
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
    if branch.engine.toolbox.is_outside(tool):
        return _outside_question(branch, tool, action)
    built_in = branch.engine.toolbox.is_built_in(tool)
    if built_in and branch.turn.settings.workspace != "local":
        return None
    try:
        given: dict[str, Any] = tool.arguments(action.arguments)
    except UsageError:
        return None
    asked = _question_of(branch, tool, given) if built_in else _whole_call(tool, given, " of another package")
    if asked is None or not asked.subject:
        return None
    root = branch.workspace.root
    return Approval(
        "command",
        asked.title,
        asked.subject,
        asked.detail,
        root=root,
        folder=asked.folder or root,
        why=asked.why,
        cancel=branch.cancel,
    )


def _outside_question(branch: ActingBranch, tool: Tool, action: Action) -> Approval | None:
    """Return the question about a call of a tool outside the workspace, whichever workspace the run has."""
    try:
        given = tool.arguments(action.arguments)
    except UsageError:
        return None
    asked = _question_of(branch, tool, given)
    assert asked is not None
    return Approval(
        "mcp",
        asked.title,
        asked.subject,
        asked.detail,
        cancel=branch.cancel,
        needs_user=True,
        pin=asked.pin,
        is_allowed=asked.is_allowed,
    )


def _question_of(branch: ActingBranch, tool: Tool, given: dict[str, Any]) -> ConsentQuestion | None:
    """Return the question that the tool's metadata declares."""
    if tool.metadata.consent is None:
        return _whole_call(tool, given)
    call = ToolCall(given, branch.workspace, branch.turn.settings.subtree, lambda nodes: _test_command(branch, nodes))
    return tool.metadata.consent(call)


def _whole_call(tool: Tool, given: dict[str, Any], whose: str = "") -> ConsentQuestion:
    """Return the question about a tool whose effects are unknown. Its subject is formatted like a shell command, so
    that a rule that denies `command deploy` also applies to the tool `deploy`."""
    values = ((name, value if isinstance(value, str) else json.dumps(value)) for name, value in given.items())
    subject = shlex.join([tool.name, *(f"{name}={value}" for name, value in values)])
    return ConsentQuestion(f"Run the tool {tool.name}{whose} on this machine?", subject, why=TOOL_REASON)


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
            documented = engine.base_instructions.test
            whose = f"\nThe test command is from {one_line(documented.where)}." if documented else ""
            ask = Approval(
                "command", title, command, f"{TESTS_DETAIL}{whose}", root=root, folder=root, cancel=branch.cancel
            )
            answer = engine.approve(ask)
            branch.cancel.check()
            engine.may_test = answer.yes
        return engine.may_test


def may_run_example(branch: ActingBranch, code: Sequence[str]) -> bool:
    """Return whether the issue's example may run; the user is asked in local workspaces only. Raises Cancelled."""
    if branch.turn.settings.workspace != "local":
        return True
    root = branch.workspace.root
    ask = Approval("command", EXAMPLE_QUESTION, "\n".join(code), root=root, folder=root, cancel=branch.cancel)
    answer = branch.engine.approve(ask)
    branch.cancel.check()
    return answer.yes


def may_set_up(
    approve: Approve, cancel: CancellationToken, image: str, commands: Sequence[str], hosts: Sequence[str]
) -> bool:
    """Return whether the environment may be set up with access to these hosts; without hosts, on this machine without
    isolation. Raises Cancelled."""
    if hosts:
        ask = Approval(
            "network",
            "Set up the environment of the tests, with access to package registries?",
            subject="\n".join(hosts),
            detail="\n".join([f"In {image}:", *commands]),
            cancel=cancel,
        )
    else:
        ask = Approval(
            "command",
            "Set up the environment of the tests on this machine, without isolation?",
            subject="\n".join(commands),
            cancel=cancel,
            why="it runs build code of the repository and of packages",
            needs_user=True,
        )
    answer = approve(ask)
    cancel.check()
    return answer.yes


@dataclass(frozen=True, slots=True)
class Scope:
    """The files that may be changed: those under `folder` of the repository ("" for all), or none if `nothing` is set;
    `because` is the reason.

    `tools` lists the tools that may be called; if it is empty, all may be called.
    """

    folder: str = ""
    nothing: bool = False
    because: str = "plan mode does not allow changes"
    tools: tuple[str, ...] = ()

    @property
    def is_limited(self) -> bool:
        return self.keeps or self.tools != ()

    @property
    def keeps(self) -> bool:
        """Whether some files may not be changed."""
        return self.nothing or self.folder != ""

    @property
    def why(self) -> str:
        return self.because if self.nothing else f"only {self.folder}/ may be changed"

    def offered(self, schemas: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
        """Return the schemas of the tools that the model is offered."""
        return tuple(one for one in schemas if not self.tools or one["function"]["name"] in self.tools)

    def outside(self, paths: Sequence[str]) -> list[str]:
        """Return those of the paths, relative to the repository, that may not be changed."""
        inside = f"{self.folder}/"
        return [path for path in paths if self.nothing or (self.folder and not path.startswith(inside))]

    def refusal(self, tool: Tool, action: Action, root: str) -> str:
        """Return why an action of this tool is not run; "" if it may run. `root` is the repository's folder."""
        if self.tools and tool.name not in self.tools:
            return f"Not run: the tools here are {', '.join(self.tools)}."
        if self.nothing and tool.metadata.when_limited == "refuse":
            return f"Not run: {self.why}. Answer in words."
        if not self.is_limited or tool.metadata.when_limited != "check_path":
            return ""
        path = posixpath.normpath(str(action.arguments.get("path", "")).removeprefix(f"{root}/"))
        if not self.outside([path]):
            return ""
        return f"Not changed: {self.why}.{' Answer in words.' if self.nothing else ''}"


def snapshot_within_scope(
    workspace: Workspace, observations: tuple[Observation, ...]
) -> tuple[str, tuple[Observation, ...]]:
    """Take a snapshot of the files. Files that could not be included are named in the last observation."""
    snapshot = workspace.snapshot()
    if not snapshot.skipped or not observations:
        return snapshot.tree, observations
    last = observations[-1]
    text = f"{last.text}\n[Not recorded; the last recorded state is used: {', '.join(snapshot.skipped)}]"
    return snapshot.tree, (*observations[:-1], replace(last, text=text))


def revert_out_of_scope(
    scope: Scope, trees: Trees, workspace: Workspace, before: str, tree: str, observations: tuple[Observation, ...]
) -> tuple[str, tuple[Observation, ...]]:
    """Revert the changes outside the scope of a step that changed the tree `before` to `tree`. The last observation
    lists the reverted files."""
    paths = [change.path for change in trees.changed(before, tree)] if scope.keeps else []
    outside = scope.outside(paths)
    if not outside or not observations:
        return tree, observations
    tree = trees.overlay(tree, before, outside)
    workspace.restore(tree)
    last = observations[-1]
    text = f"{last.text}\n[Restored, since {scope.why}: {format_names(outside)}]"
    return tree, (*observations[:-1], replace(last, text=text))
