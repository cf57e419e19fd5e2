"""The file with the task that the gate writes and the later jobs read."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extensions.github.task import task_request as task_requests
from extensions.github.task.task_request import TaskRequest, read, write
from trajectories.errors import UsageError
from trajectories.records import Comment, Issue

TASK = TaskRequest("fix", "octo/calc", 1, Issue("Bug"), "ada", "2026-01-02T03:04:05Z", "a" * 40, "main", 2.0)
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\0\u202e\u2028<-"))
COMMENTS = st.lists(st.builds(Comment, author=TEXT, body=TEXT, about=TEXT), max_size=3).map(tuple)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.builds(Issue, TEXT, TEXT, comments=COMMENTS), TEXT, COMMENTS)
def test_task_is_read_as_written(tmp_path: Path, issue: Issue, request: str, thread: tuple[Comment, ...]) -> None:
    task = TaskRequest("follow-up", "octo/calc", 1, issue, "ada", "", "", "main", 2.0, request=request, thread=thread)

    digest = write(task, tmp_path / "errand.json")

    assert read(tmp_path / "errand.json", digest) == task


def test_half_surrogate_pair_is_replaced(tmp_path: Path) -> None:
    task = TaskRequest("fix", "octo/calc", 1, Issue("Bug \ud800"), "ada", "", "", "main", 2.0)

    assert read(tmp_path / "e", write(task, tmp_path / "e")).issue.title == "Bug ?"


@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_wrong_digest_is_refused(tmp_path: Path, digest: str) -> None:
    write(TASK, tmp_path / "e")

    with pytest.raises(UsageError, match="is not the file that the gate wrote"):
        read(tmp_path / "e", digest)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read(tmp_path / "e", "0" * 64)


def test_oversized_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = write(TASK, tmp_path / "e")
    monkeypatch.setattr(task_requests, "MOST_BYTES", 100)

    with pytest.raises(UsageError, match="is not the file that the gate wrote"):
        read(tmp_path / "e", digest)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"version": 99}, "has version 99"), ({"kind": "push"}, "is invalid"), ({"budget": "much"}, "is invalid")],
    ids=["version", "kind", "budget"],
)
def test_malformed_task_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    write(TASK, tmp_path / "e")
    data = json.dumps(json.loads((tmp_path / "e").read_bytes()) | change).encode()
    (tmp_path / "e").write_bytes(data)

    with pytest.raises(UsageError, match=message):
        read(tmp_path / "e", sha256(data).hexdigest())
