"""A commit in a repository that may have come from anywhere, with a configuration of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.permissions.approvals import Answer
from trajectories.errors import UsageError


def program(tmp_path: Path, name: str) -> tuple[str, Path]:
    """A program that fails, and what is there once it ran."""
    file, mark = tmp_path / name, tmp_path / f"{name} ran"
    file.write_text(f"#!/bin/sh\ntouch '{mark}'\nexit 1\n")
    file.chmod(0o755)
    return str(file), mark


def test_no_program_that_repository_names_watches_files(desk, tmp_path: Path) -> None:
    monitor, ran = program(tmp_path, "monitor")
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.git("config", "core.fsmonitor", monitor)
    desk.say("/commit")
    assert not ran.exists()


@pytest.mark.parametrize(
    ("kind", "key"), [("openpgp", "gpg.program"), ("openpgp", "gpg.openpgp.program"), ("ssh", "gpg.ssh.program")]
)
def test_only_users_own_configuration_names_what_signs(desk, tmp_path: Path, kind: str, key: str) -> None:
    (theirs, ran), (own, ran_own) = program(tmp_path, "theirs"), program(tmp_path, "own")
    for name, value in (("commit.gpgSign", "true"), ("gpg.format", kind), ("user.signingKey", "key"), (key, theirs)):
        desk.git("config", name, value)
    section, _, name = key.rpartition(".")
    first, _, rest = section.partition(".")
    with (tmp_path / "home" / ".gitconfig").open("a") as config:
        config.write(f'[{first} "{rest}"]\n\t{name} = {own}\n' if rest else f"[{first}]\n\t{name} = {own}\n")
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    with pytest.raises(UsageError, match="did not commit"):
        desk.say("/commit")
    assert (ran.exists(), ran_own.exists()) == (False, True)


def test_file_that_becomes_folder_is_gone_from_index(desk) -> None:
    desk.begin()
    desk.changes({"b.txt": None, "b.txt/x": b"B\n"})
    desk.say("/commit")
    assert desk.git("status", "--short") == ""
    assert [line.partition("\t")[2] for line in desk.index().split("\n")] == ["a.txt", "b.txt/x", "dir/c.txt"]


def test_commit_goes_to_branch_that_was_named_in_question(desk) -> None:
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    head = desk.git("rev-parse", "HEAD")

    def switch(_: object) -> Answer:
        desk.git("switch", "-qc", "other")
        return Answer(True)

    desk.answers = [Answer(True), switch]
    with pytest.raises(UsageError, match="no longer at main"):
        desk.say("/commit")
    assert desk.git("rev-parse", "other", "main").split() == [head, head]
