"""Approvals that a run requests, and the effect of a refusal."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.engine.branch import Branch
from agent.engine.permission_checks import may_set_up, refusal
from agent.engine.task import Task
from agent.permissions.approvals import Answer, Approval
from agent.permissions.decisions import judge
from agent.permissions.permission_table import PermissionTable
from agent.permissions.rule_store import StoredRule
from agent.permissions.rules import Rule
from tests.agent.conftest import Bench, act, line
from tests.agent.scripted_turns import finish_solving
from tests.external_plugin import install_tool
from tools.base import ToolMetadata
from trajectories.errors import Cancelled, UsageError
from trajectories.journal import read
from trajectories.plugins import built_in_plugins
from trajectories.records import Action


def one_reply(task):
    """Take one reply and run its actions."""
    yield task.say("Go.")
    reply = task.ask()
    yield task.step(reply, task.act(reply.actions))
    return task.best()


def test_unattended_run_requests_no_approval(bench) -> None:
    bench.begin(line("Run.", act("shell", command="echo it ran")))
    steps, _ = bench.drive(one_reply)
    assert steps[-1].observations[0].text == "it ran"
    assert not [note for note in read(bench.directory).notes if note.kind == "approval"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"command": "pytest", "nodes": ["a::b"]}, True),
        ({"command": "pytest"}, False),
        ({"nodes": ["a::`touch x`"]}, True),
        ({"nodes": ["tests/test_a.py::test_b[1-2]"]}, False),
    ],
)
def test_rule_cannot_allow_test_names_in_model_command(bench, arguments: dict, why: bool) -> None:
    bench.begin(line("Run.", act("run_tests", **arguments)), test="pytest")
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: approvals.append(approval) or Answer(False)
    list(one_reply(Task(Branch(engine))))
    engine.close()
    assert [bool(each.why) for each in approvals] == [why]


def test_deny_rule_applies_to_unattended_run(bench) -> None:
    bench.begin(line("Run.", act("shell", command="touch f"), act("shell", command="ls")))
    engine = bench.engine()
    denied = PermissionTable(deny=("command touch",))
    engine.settings = engine.settings.model_copy(update={"permissions": denied})
    steps = list(one_reply(Task(Branch(engine))))
    engine.close()
    assert [observation.ok for observation in steps[-1].observations] == [False, True]
    assert "A configured rule denies it: command touch." in steps[-1].observations[0].text
    assert "f" not in steps[-1].observations[1].text.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("delivery", "deny"),
    [({"apply": True}, "apply calc.py"), ({"branch": "fix"}, "branch fix"), ({"apply": True}, "apply .vscode/**")],
    ids=["apply", "branch", "link"],
)
def test_denied_delivery_is_not_made(bench, delivery, deny) -> None:
    edit = act("edit", path="calc.py", old="a - b", new="a + b")
    link = act("shell", command="mkdir tools; echo evil > tools/tasks.json; ln -s tools .vscode")
    lines = line("Edit.", edit, link, act("submit"), n=1), line("No test is needed.", act("submit"))
    bench.begin(*lines, strategy="react", **delivery)
    engine = bench.engine()
    engine.settings = engine.settings.model_copy(update={"permissions": PermissionTable(deny=(deny,))})
    with pytest.raises(UsageError, match="A configured rule denies it"):
        finish_solving(engine)
    engine.close()
    assert "a - b" in (bench.repository / "calc.py").read_text()


def test_refusal_applies_to_one_action_only(bench) -> None:
    bench.begin(line("Run.", act("shell", command="touch f"), act("shell", command="ls")))
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: (
        approvals.append(approval) or Answer("touch" not in approval.subject, reason="no f")
    )
    steps = list(one_reply(Task(Branch(engine))))
    engine.close()
    assert [observation.text for observation in steps[-1].observations] == ["The user refused this: no f", "calc.py"]
    assert not steps[-1].observations[0].ok
    assert [each.subject for each in approvals] == ["touch f", "ls"]


def test_approval_contains_current_folder_of_shell(bench) -> None:
    bench.begin(line("Run.", act("shell", command="mkdir d; cd d"), act("shell", command="ls")))
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: approvals.append(approval) or Answer(True)
    list(one_reply(Task(Branch(engine))))
    engine.close()
    assert [each.folder.removeprefix(each.root) for each in approvals] == ["", "/d"]


def test_user_command_needs_no_approval(bench) -> None:
    bench.begin(line("Run.", act("shell", command="echo it ran")))
    engine = bench.engine()
    engine.approve = lambda _: Answer(False)
    task = Task(Branch(engine))
    task.branch.by_hand = True
    assert list(one_reply(task))[-1].observations[0].text == "it ran"
    engine.close()


def test_interrupt_during_approval_is_not_refusal(bench) -> None:
    bench.begin(line("Run.", act("shell", command="echo it ran")))
    engine = bench.engine()
    engine.approve = lambda _: engine.cancel.set() or Answer(False)
    with pytest.raises(Cancelled):
        list(one_reply(Task(Branch(engine))))
    assert not [step for step in engine.trajectory.steps["main"] if step.reply], "the reply is acted on after resuming"
    with pytest.raises(Cancelled):
        may_set_up(engine.approve, engine.cancel, "image", ["make"], ["host"])
    engine.close()


def test_external_tool_needs_approval_each_time(bench, tmp_path, monkeypatch) -> None:
    install_tool(tmp_path / "site", monkeypatch)
    target = str(tmp_path / "deployed")
    bench.begin(line("Run.", act("deploy", target=target, hosts=["a b"]), act("functions.deploy", target=target)))
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: approvals.append(approval) or Answer(False)
    steps = list(one_reply(Task(Branch(engine))))
    engine.close()
    assert [observation.text for observation in steps[-1].observations] == ["The user refused this."] * 2
    assert not Path(target).exists()
    assert approvals[0].title == "Run the tool deploy of another package on this machine?"
    assert approvals[0].subject == f"""deploy target={target} 'hosts=["a b"]'"""
    rules = [StoredRule(Rule("command", "deploy"), "session")]
    assert judge(approvals[0], [], rules).yes is None
    assert not judge(approvals[0], [], []).always
    assert judge(approvals[0], [Rule("command", "deploy")], rules).yes is False


def test_external_tool_cannot_declare_that_it_needs_no_approval(bench, tmp_path, monkeypatch) -> None:
    install_tool(tmp_path / "site", monkeypatch, "look_up")
    file = tmp_path / "site" / "outsider_look_up.py"
    declared = file.read_text().replace("@tool", "@tool(writes=False, consent=not_needed)")
    file.write_text(declared.replace("Context, tool", "Context, not_needed, tool"))
    bench.begin(line("Run.", act("look_up", target="x")))
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: approvals.append(approval) or Answer(False)
    list(one_reply(Task(Branch(engine))))
    engine.close()
    assert [(each.title, bool(each.why)) for each in approvals] == [
        ("Run the tool look_up of another package on this machine?", True)
    ]


def test_external_tool_needs_approval_with_container_workspace(bench, tmp_path, monkeypatch) -> None:
    """The tool runs in this process, not in the container."""
    install_tool(tmp_path / "site", monkeypatch)
    bench.begin(line("Run."))
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: approvals.append(approval) or Answer(False)
    engine.settings = engine.settings.model_copy(update={"workspace": "docker"})
    branch = Branch(engine)
    monkeypatch.setattr(Branch, "workspace", SimpleNamespace(root="/repo"))
    for name, arguments in (("deploy", {"target": "x"}), ("shell", {"command": "ls"})):
        refusal(branch, engine.toolbox.tools[name], Action(name, arguments))
    engine.close()
    assert [each.subject for each in approvals] == ["deploy target=x hosts=null"]


def questions_about(bench: Bench, *names: str) -> list[str]:
    """Return the second word of the question before each of these tools; without names, before all tools."""
    values = {
        "command": "ls",
        "code": "1",
        "name": "a",
        "input": "ls",
        "path": "x",
        "pattern": "x",
        "old": "",
        "new": "",
    }
    bench.begin(line("Run."))
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: approvals.append(approval) or Answer(False)
    for name in names or sorted(engine.toolbox.tools):
        tool = engine.toolbox.tools[name]
        known = tool.schema["function"]["parameters"]["properties"]
        refusal(Branch(engine), tool, Action(name, {each: values[each] for each in known.keys() & values.keys()}))
    engine.close()
    return [each.title.split()[1] for each in approvals]


def test_built_in_tool_needs_approval_unless_limited_to_repository(bench) -> None:
    own = (name.replace("-", "_") for name in built_in_plugins("tools") if name != "base")
    assert questions_about(bench, *own) == ["tests", "this"]


def test_edit_of_git_metadata_needs_approval(bench, tmp_path) -> None:
    """Otherwise an allowed `git status` would run a command from the edited configuration."""
    mark = tmp_path / "ran"
    monitor = act("edit", path=".git/config", old="[core]", new=f"[core]\n\tfsmonitor = touch {mark}; false")
    bench.begin(
        line("Run.", monitor, act("edit", path="calc.py", old="-", new="+"), act("shell", command="git status"))
    )
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: approvals.append(approval) or Answer("git status" in approval.subject)
    list(one_reply(Task(Branch(engine))))
    engine.close()
    assert [each.subject for each in approvals] == ["edit .git/config", "git status"]
    assert approvals[0].detail.split("\n") == [
        "Old text:",
        "- [core]",
        "New text:",
        "+ [core]",
        f"+ \tfsmonitor = touch {mark}; false",
    ]
    assert judge(approvals[0], [], [StoredRule(Rule("command", "edit"), "session")]).yes is None
    assert not mark.exists()


def test_edit_text_cannot_imitate_approval_labels(bench) -> None:
    edit = act("edit", path=".git/hooks/x", old="a\nNew text:\n+ b\n", new="", all=True)
    bench.begin(line("Run.", edit, act("edit", path=".git/hooks/y", old="", new="evil")))
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: approvals.append(approval) or Answer(False)
    list(one_reply(Task(Branch(engine))))
    engine.close()
    assert [each.detail.split("\n") for each in approvals] == [
        ["Old text, wherever it occurs:", "- a", "- New text:", "- + b", "- ", "New text:", "(none)"],
        ["Old text:", "(none)", "New text:", "+ evil"],
    ]


def test_tool_without_metadata_needs_approval(bench) -> None:
    bench.begin(line("Run."))
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: approvals.append(approval) or Answer(False)
    view = replace(engine.toolbox.tools["view"], metadata=ToolMetadata())
    refusal(Branch(engine), view, Action("view", {"path": "/etc/passwd"}))
    engine.close()
    assert approvals[0].title == "Run the tool view on this machine?"


def test_set_up_approval_lists_image_and_commands_beside_hosts(bench) -> None:
    bench.begin(line("x"))
    engine = bench.engine()
    approvals: list[Approval] = []
    engine.approve = lambda approval: approvals.append(approval) or Answer(False)
    assert not may_set_up(
        engine.approve, engine.cancel, "python:3.12", ["pip install -e ."], ["pypi.org", "example.org"]
    )
    engine.close()
    (approval,) = approvals
    assert (approval.kind, approval.subject) == ("network", "pypi.org\nexample.org")
    assert approval.detail == "In python:3.12:\npip install -e ."


def test_set_up_without_isolation_needs_the_yes_of_a_user(bench) -> None:
    bench.begin(line("x"))
    engine = bench.engine()
    question = (engine.cancel, "", ["pip install -e ."], [])
    assert not may_set_up(engine.approve, *question), "no user can be asked"
    approvals: list[Approval] = []
    assert may_set_up(lambda approval: approvals.append(approval) or Answer(True), *question)
    engine.close()
    (approval,) = approvals
    assert (approval.kind, approval.subject) == ("command", "pip install -e .")
    assert judge(approval, [], [StoredRule(Rule("command", "pip install *"), "project")]).yes is None
