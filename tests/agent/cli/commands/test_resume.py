"""`swe-agent resume`: delivery of the patch of a run that has ended, as `fix` does it at its end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.cli.commands.fix import command as fix
from agent.cli.commands.resume import command as resume
from agent.config.settings import Settings
from agent.lifecycle.run_lifecycle import begin, reopen, result
from tests.agent.conftest import act, line
from tests.conftest import git
from trajectories.errors import UsageError
from trajectories.journal import read
from trajectories.records import Issue, Note

FIXED = "def add(a, b):\n    return a + b\n"
EDIT = act("edit", path="calc.py", old="a - b", new="a + b")


@pytest.fixture
def run_fix(bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that runs `fix` with the actions of a model, and returns the name of the run. No test proves it."""
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))

    def run(*actions: dict, **options: object) -> str:
        script = tmp_path / "script.jsonl"
        script.write_text(json.dumps(line("Done.", *actions, act("submit"))) + "\n")
        given = {"text": "add() subtracts", "repo": str(bench.repository), "model": f"scripted:{script}", "plain": True}
        fix(**given, strategy="react", workspace="local", test="true", max_steps=1, **options)
        return max((tmp_path / "state" / "runs").iterdir()).name

    return run


@pytest.mark.slow
def test_fix_says_how_to_apply_its_patch(run_fix, bench, capsys) -> None:
    name = run_fix(EDIT)
    assert capsys.readouterr().out.splitlines()[-1] == f"To apply the patch: swe-agent resume {name} --apply"
    assert resume(name, apply=True, plain=True) == 6
    output = capsys.readouterr().out
    assert "No verdict: " in output
    assert f"The patch is applied to {bench.repository}." in output
    assert "To apply" not in output
    assert (bench.repository / "calc.py").read_text() == FIXED


@pytest.mark.slow
@pytest.mark.parametrize(
    ("actions", "options"),
    [((EDIT,), {"apply": True}), ((EDIT,), {"branch": "fix"}), ((EDIT,), {"json": True}), ((), {})],
    ids=["applied", "on a branch", "JSON", "no patch"],
)
def test_nothing_is_said_about_delivered_or_empty_patch(run_fix, capsys, actions, options) -> None:
    run_fix(*actions, **options)
    assert "To apply" not in capsys.readouterr().out


@pytest.mark.slow
def test_patch_is_applied_again_after_user_reverted_it(run_fix, bench) -> None:
    name = run_fix(EDIT, apply=True)
    git(bench.repository, "checkout", "calc.py")
    resume(name, apply=True, plain=True)
    assert (bench.repository / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_patch_that_session_applied_is_applied_again_after_user_reverted_it(run_fix, bench, tmp_path: Path) -> None:
    name = run_fix(EDIT, apply=True)
    with reopen(tmp_path / "state" / "runs" / name, tmp_path / "state", lambda _: None) as engine:
        moved = [engine.run.base.tree, result(engine).exit.tree]
        engine.journal.append(Note("main", "done", "Applied.", {"effect": "apply 1", "moved": moved}))
    git(bench.repository, "checkout", "calc.py")
    resume(name, apply=True, plain=True)
    assert (bench.repository / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_applied_patch_is_not_applied_twice(run_fix, bench, capsys) -> None:
    resume(run_fix(EDIT, apply=True), apply=True, plain=True)
    assert f"{bench.repository} already contains the patch." in capsys.readouterr().out
    assert (bench.repository / "calc.py").read_text() == FIXED


@pytest.mark.slow
def test_patch_is_committed_to_branch(run_fix, bench, capsys) -> None:
    name = run_fix(EDIT)
    resume(name, branch="fix", plain=True)
    assert git(bench.repository, "show", "fix:calc.py") == FIXED.rstrip()
    git(bench.repository, "diff", "--exit-code")
    assert resume(name, branch="fix", plain=True) == 2
    assert "The branch fix exists already." in capsys.readouterr().out


@pytest.mark.slow
def test_conflicting_changes_of_user_are_kept(run_fix, bench, tmp_path: Path, capsys) -> None:
    name = run_fix(EDIT)
    (bench.repository / "calc.py").write_text("mine\n")
    assert resume(name, apply=True, plain=True) == 2
    assert "does not apply" in capsys.readouterr().out
    assert (bench.repository / "calc.py").read_text() == "mine\n"
    assert read(tmp_path / "state" / "runs" / name).exit is not None


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"apply": True}, {"branch": "fixed"}])
def test_file_that_git_includes_is_not_delivered(run_fix, bench, capsys, options) -> None:
    git(bench.repository, "config", "include.path", "../tools/gitcfg")
    name = run_fix(act("edit", path="tools/gitcfg", old="", new="[core]\n"), **options)
    assert resume(name, **options, plain=True) == 2
    texts = " ".join(capsys.readouterr().out.split())
    assert texts.count("The patch is not delivered: tools/gitcfg (git reads its configuration from it).") == 2
    assert not (bench.repository / "tools").exists()
    assert git(bench.repository, "branch", "--list", "fixed") == ""


@pytest.mark.slow
def test_empty_patch_cannot_be_applied(run_fix, capsys) -> None:
    assert resume(run_fix(), apply=True, plain=True) == 2
    assert "The run has no patch." in capsys.readouterr().out


@pytest.mark.slow
def test_result_is_shown_without_repository(run_fix, bench, capsys) -> None:
    name = run_fix(EDIT)
    shutil.rmtree(bench.repository)
    assert resume(name, plain=True) == 6
    assert "To apply" not in capsys.readouterr().out[-200:]


def test_patch_of_run_in_clone_is_not_applied_there(bench, tmp_path: Path, monkeypatch, capsys) -> None:
    state = tmp_path / "state"
    monkeypatch.setenv("SWE_AGENT_STATE", str(state))
    clone = state / "clones" / "calc"
    shutil.copytree(bench.repository, clone)
    issue = Issue("add() subtracts", "", url="https://github.com/octo/calc/issues/1")
    directory = begin(issue, Repository.open(clone), Settings(workspace="local", state=state, strategy="prove"))
    assert resume(directory.name, apply=True, plain=True) == 2
    assert "worked in a clone of the issue's repository" in capsys.readouterr().out
    assert "a - b" in (clone / "calc.py").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"apply": True, "branch": "b"}, "--apply and --branch were both given"),
        ({"branch": "b", "pr": True}, "--branch and --pr were both given"),
        ({"apply": True, "choose": "A"}, "--choose and --apply are two steps"),
    ],
)
def test_only_one_destination_is_accepted(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resume("any", **options)
