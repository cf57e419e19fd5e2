"""A commit in an untrusted repository with its own git configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.permissions.approvals import Answer
from trajectories.errors import UsageError


def write_program(tmp_path: Path, name: str) -> tuple[str, Path]:
    """Write a program that fails; return its path and the file that it creates."""
    file, marker = tmp_path / name, tmp_path / f"{name} ran"
    file.write_text(f"#!/bin/sh\ntouch '{marker}'\nexit 1\n")
    file.chmod(0o755)
    return str(file), marker


def test_configured_monitor_of_repository_is_not_run(session, tmp_path: Path) -> None:
    monitor, marker = write_program(tmp_path, "monitor")
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.git("config", "core.fsmonitor", monitor)
    session.say("/commit")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("kind", "key"), [("openpgp", "gpg.program"), ("openpgp", "gpg.openpgp.program"), ("ssh", "gpg.ssh.program")]
)
def test_commit_is_signed_only_by_program_of_users_configuration(session, tmp_path: Path, kind: str, key: str) -> None:
    (repository_program, repository_marker), (user_program, user_marker) = (
        write_program(tmp_path, "repository-program"),
        write_program(tmp_path, "own"),
    )
    for name, value in (
        ("commit.gpgSign", "true"),
        ("gpg.format", kind),
        ("user.signingKey", "key"),
        (key, repository_program),
    ):
        session.git("config", name, value)
    section, _, name = key.rpartition(".")
    first, _, rest = section.partition(".")
    with (tmp_path / "home" / ".gitconfig").open("a") as config:
        config.write(
            f'[{first} "{rest}"]\n\t{name} = {user_program}\n' if rest else f"[{first}]\n\t{name} = {user_program}\n"
        )
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    with pytest.raises(UsageError, match="did not commit"):
        session.say("/commit")
    assert (repository_marker.exists(), user_marker.exists()) == (False, True)


def test_file_replaced_by_folder_is_removed_from_index(session) -> None:
    session.begin()
    session.change_files({"b.txt": None, "b.txt/x": b"B\n"})
    session.say("/commit")
    assert session.git("status", "--short") == ""
    assert [line.partition("\t")[2] for line in session.index().split("\n")] == ["a.txt", "b.txt/x", "dir/c.txt"]


def test_commit_is_refused_after_switch_of_branch(session) -> None:
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    head = session.git("rev-parse", "HEAD")

    def switch(_: object) -> Answer:
        session.git("switch", "-qc", "other")
        return Answer(True)

    session.answers = [Answer(True), switch]
    with pytest.raises(UsageError, match="no longer has main checked out"):
        session.say("/commit")
    assert session.git("rev-parse", "other", "main").split() == [head, head]
