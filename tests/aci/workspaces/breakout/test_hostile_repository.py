"""Repositories that are hostile before they reach a container: nothing in them may run on the host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from tests.conftest import git
from tests.e2e.conftest import TEST_CORE, answer, call, write
from trajectories.errors import SweAgentError
from trajectories.git_store.trees import Trees
from trajectories.journal import read


@pytest.mark.parametrize(
    "setting",
    ["core.fsmonitor", "core.hooksPath", "filter.bad.smudge", "diff.external",
     "diff.bad.textconv", "core.pager", "core.editor", "core.alternateRefsCommand", "uploadpack.packObjectsHook",
     "core.gitProxy", "gpg.program", "credential.helper", "core.askPass", "include.path"],
)  # fmt: skip
def test_git_configuration_runs_no_programs(calculator, tmp_path, marker, setting):
    """Clean filters such as Git LFS are an exception: no clone installs them. See docs/security.md."""
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\ntouch {marker}\n[ $# -eq 0 ] && cat\nexit 0\n")
    script.chmod(0o755)
    hooks = write(
        tmp_path / "hooks", dict.fromkeys(("post-index-change", "post-checkout", "reference-transaction"), "")
    )
    for hook in hooks.iterdir():
        hook.write_text(script.read_text())
        hook.chmod(0o755)
    write(calculator, {".gitattributes": "* filter=bad diff=bad\n", "calc/text.py": "x = 1\n"})
    config = write(tmp_path / "more", {"config": f"[core]\n\tfsmonitor = {script}\n"}) / "config"
    value = {"core.hooksPath": hooks, "include.path": config}.get(setting, script)
    git(calculator, "config", setting, str(value))
    with Trees(tmp_path / "trees.git") as trees:
        repository = Repository.open(calculator)
        base = repository.base(trees, None)
        repository.history(base, tmp_path / "history.git")
        assert trees.read(base.tree, "calc/text.py") == b"x = 1\n"
    assert not marker.exists()


@pytest.mark.slow
def test_planted_runs_and_settings_are_ignored(machine, calculator, issue_file):
    """Runs, caches and settings in the repository are ordinary files."""
    journal = '{"type": "run", "id": "evil"}\n'
    write(calculator, {
        ".swe-agent/runs/evil/journal.jsonl": journal, "runs/evil/journal.jsonl": journal,
        ".swe-agent/config.toml": "x",
        "config.toml": 'workspace = "docker"\nbudget = 1e9\n', ".env": "SWE_AGENT_BUDGET=1e9\n",
        ".config/swe-agent/config.toml": "budget = 1e9\n", "policy.toml": "budget = 1e9\n",
    })  # fmt: skip
    script = machine.script(answer("Done.", call("edit", path="t.py", old="", new=TEST_CORE), call("submit")))
    result = machine.json("fix", "--repo", calculator, "--issue-file", issue_file, "--model", script, cwd=calculator)
    assert "evil" not in machine.run("runs", cwd=calculator).stdout
    assert read(Path(result["directory"])).run.settings["budget"] == 2.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [".swe-agent.toml", ".devcontainer/devcontainer.json", "Dockerfile", "AGENTS.md", "pyproject.toml"]
)
def test_content_of_linked_user_file_is_not_shown(machine, calculator, issue_file, tmp_path, name):
    secret = tmp_path / "id_rsa"
    secret.write_text("canary = the-canary-of-this-test\n")
    for target in (secret, Path("/dev/zero")):
        path = calculator / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        git(calculator, "add", "-A")
        machine.workspace = "docker"
        explanation = machine.run("env", "why", "--repo", str(calculator))
        machine.workspace = "local"
        script = machine.script(answer("Done.", call("submit")))
        process = machine.run("fix", "--repo", str(calculator), "--issue-file", issue_file, "--model", script)
        assert (
            "the-canary-of-this-test" not in explanation.stdout + explanation.stderr + process.stdout + process.stderr
        )
        for run in machine.runs():
            assert b"the-canary-of-this-test" not in (run / "journal.jsonl").read_bytes()


def test_fifo_in_repository_does_not_block(calculator, tmp_path):
    os.mkfifo(calculator / ".swe-agent.toml")
    os.mkfifo(calculator / "calc" / "pipe")
    with Trees(tmp_path / "trees.git") as trees:
        repository = Repository.open(calculator)
        repository.base(trees, None)
        try:
            assert not repository.file(".swe-agent.toml", None)
        except SweAgentError as error:
            assert error.fix  # noqa: PT017  (both outcomes are allowed)


@pytest.mark.slow
def test_escape_sequences_in_issue_and_names_are_not_printed(machine, calculator, issue_file):
    evil = "\x1b]0;owned\x07\x1b]52;c;ZWNobw==\x07\x9b2J\u202ereversed"
    Path(issue_file).write_text(f"# add() {evil} subtracts\n\nSee calc/core.py {evil}\n")
    write(calculator, {f"calc/{evil.replace('/', '')}.py": "def add(a, b):\n    return a\n"})
    git(calculator, "add", "-A")
    git(calculator, "commit", "-qm", f"A commit about add {evil}")
    script = machine.script(answer(f"Done {evil}.", call("submit", summary=evil)))
    processes = [
        machine.run("locate", "--repo", str(calculator), "--issue-file", issue_file),
        machine.run("fix", "--repo", str(calculator), "--issue-file", issue_file, "--model", script, "--plain"),
        machine.run("runs"),
        machine.run("show", machine.runs()[0].name),
    ]
    for process in processes:
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(process.stdout + process.stderr), process.args
