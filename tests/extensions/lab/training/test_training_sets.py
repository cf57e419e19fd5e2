"""`export` of training sets: runs of benchmarks, what is excluded, and the data card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from extensions.lab.commands.export import command
from extensions.lab.training.training_sets import read_exclusions, repository_names
from tests.agent.conftest import line
from tests.agent.strategies.conftest import (  # noqa: F401
    FILES,
    SUBMIT,
    RunStrategy,
    edit_calc,
    equal,
    new_test,
    run_strategy,
)
from tests.extensions.lab.exports.run_builder import RunBuilder
from trajectories.errors import UsageError
from trajectories.records import Base, Issue
from trajectories.trajectory import RunView

LICENCE = "The MIT License (MIT)\n\nCopyright (c) Somebody\n"


def view(repository: str, issue: Issue | None = None, commit: str = "c") -> RunView:
    run = RunBuilder("r").reply("So.").end()
    record = run.trajectory.run
    assert record is not None
    changed = replace(record, repository=repository, issue=issue or record.issue, base=Base(commit, record.base.tree))
    run.trajectory.run = changed
    return run


@pytest.mark.parametrize(
    ("repository", "address"),
    [
        ("/clones/Django/django.git", ""),
        ("/clones/django__django", ""),
        ("/clones/django-68507e79e0.git", ""),
        ("/home/me/src/django", ""),
        ("/home/me/work", "https://github.com/django/django/issues/7"),
    ],
)
def test_repository_of_benchmark_is_recognised(repository: str, address: str) -> None:
    run = view(repository, Issue("Title", url=address))
    assert "django/django" in repository_names(run)
    assert read_exclusions(["swe-bench"]).reason(run) == "its repository is excluded"
    assert read_exclusions([]).reason(run) == ""


def test_other_repository_is_not_excluded() -> None:
    assert read_exclusions(["swe-bench"]).reason(view("/home/me/django-extras")) == ""


def test_instances_of_file_are_excluded_by_base_and_text(tmp_path: Path) -> None:
    file = tmp_path / "instances.jsonl"
    row = {"instance_id": "a-1", "repo": "o/a", "base_commit": "f" * 40, "problem_statement": "Sums\n\nare  wrong."}
    file.write_text(json.dumps(row) + "\n")
    exclusions = read_exclusions([str(file)])
    assert exclusions.reason(view("/a", commit="f" * 40)) == "its base is that of an excluded instance"
    assert exclusions.reason(view("/b", Issue("Sums", "are wrong."))) == "its issue is that of an excluded instance"
    assert exclusions.reason(view("/b")) == ""


def test_missing_file_and_wrong_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_exclusions([str(tmp_path / "none.jsonl")])
    with pytest.raises(UsageError, match="--exclude has no effect on chat"):
        command(["x"], "chat", None, ["swe-bench"])


@pytest.mark.slow
def test_set_has_data_card(
    run_strategy: RunStrategy,  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    test = new_test("signs", equal("add(2, 3)", 5), equal("add(-2, 3)", 1))
    files = FILES | {"LICENSE.txt": LICENCE}
    good = run_strategy("react", line("So.", test, edit_calc("a + b"), SUBMIT), files=files)
    bad = run_strategy("react", line("So.", SUBMIT), files=files, max_steps=5)
    out = tmp_path / "sets" / "sft.jsonl"
    out.parent.mkdir()
    assert command([str(each.result.directory) for each in (good, bad)], "sft", out) == 0
    card = (out.parent / "sft.jsonl.card.md").read_text()
    assert "Left out: 1 not proven." in capsys.readouterr().err
    assert f"- SHA-256: `{hashlib.sha256(out.read_bytes()).hexdigest()}`" in card
    assert "`sft` of `swe-agent export`, 1 rows" in card
    assert "- Candidates: 1, of which 1 are proven by tests" in card
    assert "| LICENSE.txt: The MIT License (MIT) |" in card
    assert f"- 1 not proven: {bad.result.directory.name}" in card
