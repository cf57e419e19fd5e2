"""The metadata of the tool `session`, and the question before it types."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agent.engine.branch import Branch
from agent.engine.task import Task
from agent.permissions.approvals import Answer, Approval
from tests.agent.conftest import act, line
from tests.agent.engine.test_permission_checks import one_reply
from tests.tools.test_metadata import row
from tools.base import Toolbox, ToolCall, metadata_of
from trajectories import plugins


def test_metadata_of_session(monkeypatch: pytest.MonkeyPatch) -> None:
    toolbox = Toolbox(["session"])
    tool = toolbox.tools["session"]
    expected = (True, "other", "input", (), "other", "unknown", "The result of {}", True, "revert")
    assert row(tool.metadata) == expected
    assert metadata_of("session") == tool.metadata
    assert toolbox.is_built_in(tool)
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    assert "session" not in Toolbox().tools


@pytest.mark.parametrize(("name", "asked"), [("pdb", ("n\n", "")), ("a b", None)])
def test_user_is_asked_about_input_of_named_terminals(name: str, asked: tuple[str, str] | None) -> None:
    tool = Toolbox(["session"]).tools["session"]
    workspace: Any = SimpleNamespace(root="/repo", folder=lambda: "/repo/src")
    assert tool.metadata.consent is not None
    arguments = tool.arguments({"name": name, "input": "n\n"})
    question = tool.metadata.consent(ToolCall(arguments, workspace, "", lambda nodes: ""))
    assert (question and (question.subject, question.folder)) == asked


@pytest.mark.parametrize("name", ["a?\n\nRuns: ls -la (only lists files)\n", "a b", "", "a\u202eb"])
def test_terminal_name_is_checked_before_approval(bench, name: str) -> None:
    bench.begin(line("Run.", act("session", name=name, input="ls\n"), act("session", name="pdb", input="ls\n")))
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: approvals.append(approval) or Answer(False)
    steps = list(one_reply(Task(Branch(engine))))
    engine.close()
    assert [each.title for each in approvals] == ["Type this into the terminal pdb?"]
    assert not steps[-1].observations[0].ok
