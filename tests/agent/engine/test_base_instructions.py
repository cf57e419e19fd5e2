"""The documented test command in a workspace without isolation."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.config.settings import Settings
from agent.engine.base_workspace import open_base
from agent.lifecycle.run_lifecycle import confirm_test_command
from agent.permissions.approvals import Answer, Approval
from agent.permissions.decisions import judge
from agent.permissions.rule_store import StoredRule
from agent.permissions.rules import Rule
from tests.agent.conftest import Bench, line
from tests.agent.scripted_turns import finish_solving
from tests.conftest import git

FILES = {
    "AGENTS.md": "# Tests\n\nPlease refrain from running `make test`.\n",
    "Makefile": "test:\n\ttouch RAN\n\tfalse\n",
    "pyproject.toml": "[project]\nname = 'calc'\n",
    "tests/test_calc.py": "from calc import add\n\ndef test_add():\n    assert add(1, 0) == 1\n",
}


@pytest.fixture
def repository(bench: Bench) -> Path:
    for name, text in FILES.items():
        path = bench.repository / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    git(bench.repository, "add", "-A")
    git(bench.repository, "commit", "-qm", "More")
    return bench.repository


@pytest.mark.slow
@pytest.mark.usefixtures("repository")
def test_documented_command_is_not_used_locally_if_no_user_can_be_asked(bench: Bench) -> None:
    bench.begin(line("Nothing to do."), strategy="react", max_steps=1)
    with bench.engine() as engine:
        finish_solving(engine)
        assert engine.settings.test == ""
    said = [event.text for event in bench.events if "make test" in event.text]
    assert len(said) == 1
    assert "from AGENTS.md, line 3, is not used without isolation and your consent" in said[0]


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("agrees", [True, False])
def test_user_is_asked_once_before_documented_command_is_used_locally(bench: Bench, agrees: bool) -> None:
    bench.begin(line("x"))
    asked: list[Approval] = []
    with bench.engine() as engine:
        engine.approve = lambda approval: asked.append(approval) or Answer(agrees)
        confirm_test_command(engine)
        confirm_test_command(engine)
        assert engine.settings.test == ("make test" if agrees else "")
        assert bool(engine.base_instructions.test) == agrees
    (approval,) = asked
    assert (approval.kind, approval.subject, approval.needs_user) == ("command", "make test", True)
    assert "AGENTS.md, line 3" in approval.detail
    assert judge(approval, [], [StoredRule(Rule("command", "make *"), "project")]).yes is None


@pytest.mark.parametrize(("workspace", "test"), [("local", ""), ("sandbox", "make test")])
def test_commands_without_a_run_use_documented_command_only_in_isolation(
    repository: Path, tmp_path: Path, workspace: str, test: str
) -> None:
    settings = Settings(workspace=workspace, state=tmp_path / "state")
    with open_base(Repository.open(repository), "HEAD", settings, lambda _: None) as (_, environment):
        assert environment.test == test
