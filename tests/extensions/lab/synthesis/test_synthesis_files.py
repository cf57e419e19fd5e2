"""The files of a synthesis: other files are refused and stay as they are, and one process uses them at a time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from extensions.lab.synthesis.source_repository import SourceRepository, open_source
from extensions.lab.synthesis.synthesis_files import check_out, open_files, tried_file
from extensions.lab.synthesis.task_bundle import commit_tree
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import TryLater, UsageError


@pytest.fixture
def source(make_repo: MakeRepo, open_ws: OpenWorkspace) -> SourceRepository:
    return open_source(open_ws("local", make_repo({"a.py": "x = 1\n"}), "HEAD").options, None)


@pytest.fixture
def row(source: SourceRepository) -> dict[str, str]:
    tree = source.trees.write({"a.py": b"x = 2\n"}, source.tree)
    return {
        "instance_id": "a.1",
        "base_commit": commit_tree(source.trees, tree, source.created_at),
        "source_commit": source.commit,
        "mutation_patch": source.trees.diff(source.tree, tree),
    }


@pytest.mark.parametrize(
    "text",
    ['{"instance_id": "a", "source_commit": "b"}\n', "not JSON\n", "not JSON", "[1]\n", "{}\n", "[" * 100_000 + "\n"],
)
def test_file_with_something_else_is_refused_and_kept(source: SourceRepository, tmp_path: Path, text: str) -> None:
    out = tmp_path / "tasks.jsonl"
    out.write_text(text)
    with (
        pytest.raises(UsageError, match=r"holds other rows than tasks of local/repo1|was not written by synth"),
        open_files(out, source, ""),
    ):
        pass
    assert out.read_text() == text
    assert not tried_file(out).exists()


def test_files_are_continued(source: SourceRepository, row: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "tasks.jsonl"
    with open_files(out, source, "") as files:
        files.add_row(row)
        files.add_note("a.1", "plant", "operator", "valid")
    with out.open("a") as file:
        file.write('{"torn')
    source.instances.clear()
    with open_files(out, source, "") as files:
        assert files.commits == {"a.1": row["base_commit"]}
        assert files.tried == {"a.1": {"id": "a.1", "kind": "plant", "operator": "operator", "result": "valid"}}
    assert source.instances == [row]
    assert out.read_text() == json.dumps(row) + "\n"


def test_row_with_another_base_is_refused(source: SourceRepository, row: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "tasks.jsonl"
    out.write_text(json.dumps({**row, "base_commit": source.commit}) + "\n")
    with pytest.raises(UsageError, match=r"The base of a\.1 in .* differs"), open_files(out, source, ""):
        pass


def test_candidates_of_another_commit_are_refused(source: SourceRepository, tmp_path: Path) -> None:
    out = tmp_path / "tasks.jsonl"
    note = {"id": "a", "kind": "plant", "operator": "", "result": "passed", "source_commit": "b", "test": ""}
    tried_file(out).write_text(json.dumps(note) + "\n")
    with pytest.raises(UsageError, match=r"tasks\.tried\.jsonl holds other rows"), open_files(out, source, ""):
        pass


def test_only_one_process_uses_the_files(source: SourceRepository, tmp_path: Path) -> None:
    out = tmp_path / "tasks.jsonl"
    with (
        open_files(out, source, ""),
        pytest.raises(TryLater, match="Another process is making tasks"),
        open_files(out, source, ""),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tasks.bundle", "does not end in .jsonl"),
        ("tasks.tried.jsonl", "list of tried candidates"),
        ("missing/tasks.jsonl", "does not exist"),
        ("folder.jsonl", "is a folder"),
    ],
)
def test_path_that_cannot_hold_the_instances_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(UsageError, match=message):
        check_out(tmp_path / name)


@pytest.mark.parametrize("name", ["t.jsonl", "t.tried.jsonl", "t.bundle", "t.questions"])
def test_files_of_another_kind_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    for make in (lambda path: os.mkfifo(path), lambda path: path.symlink_to(tmp_path / "elsewhere")):
        make(tmp_path / name)
        with pytest.raises(UsageError, match=r"is a link, a pipe|is a folder"):
            check_out(tmp_path / "t.jsonl")
        (tmp_path / name).unlink()
    check_out(tmp_path / "t.jsonl")
