"""Reading run folders from untrusted sources: no file of the user is written or shown, and no claim is believed."""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.settings import load_settings
from agent.runs.run_lookup import open_run
from extensions.housekeeping.garbage_collection import RemovalPlan, collect
from extensions.lab.commands.export import command as export
from extensions.lab.training.candidate_groups import select_candidates
from extensions.replay.run_fork import copy_untrusted_run
from extensions.replay.run_replay import begin_replay, replay_settings
from extensions.report.commands.report import command as report
from extensions.report.run_report import report_document
from extensions.run_views.commands.show import command as show
from tests.extensions.replay.test_untrusted_run import append_records, last_step, untrusted_folder
from tools.run_tests import MOST_NAMED, recall_names
from trajectories.errors import RunBroken, SweAgentError, UsageError
from trajectories.git_store.git_commands import OWN, git, git_environ
from trajectories.journal import Journal, lock_run, write_durably
from trajectories.records import Exit, Observation
from trajectories.trajectory import NOT_CHECKED
from trajectories.verdict import Verdict

__all__ = ["untrusted_folder"]


def contents(folder: Path) -> dict[str, str]:
    """Map each path below a folder to its link target, its checksum or "folder"."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            entries[str(path)] = f"-> {path.readlink()}"
        else:
            entries[str(path)] = hashlib.sha1(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return entries


def replay(name: str) -> None:
    settings = load_settings()
    material = open_run(name, settings)
    begin_replay(material, replay_settings(material, settings, "local"))


COMMANDS = {
    "show": lambda name: show(name, plain=True),
    "show-step": lambda name: show(name, "1", plain=True),
    "report": lambda name: report(name, out=Path("r.html")),
    "export": lambda name: export([name], "chat"),
    "predictions": lambda name: export([name], "predictions"),
    "replay": replay,
}


@pytest.fixture
def private(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config").write_text("[mine]\n")
    (folder / "id_rsa").write_text("PRIVATE\n")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_linked_store_is_not_written_to(untrusted_folder: Path, private: Path, command: str) -> None:
    shutil.rmtree(untrusted_folder / "trees.git")
    (untrusted_folder / "trees.git").symlink_to(private)
    private_before = contents(private)
    with pytest.raises(RunBroken, match="contains no objects, or only links"):
        COMMANDS[command](str(untrusted_folder))
    assert contents(private) == private_before


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_linked_files_of_store_are_not_written_to(untrusted_folder: Path, private: Path, command: str) -> None:
    (untrusted_folder / "trees.git" / "HEAD").unlink()
    (untrusted_folder / "trees.git" / "config").unlink()
    (untrusted_folder / "trees.git" / "HEAD").symlink_to(private / "new")
    (untrusted_folder / "trees.git" / "config").symlink_to(private / "config")
    private_before, untrusted_before = contents(private), contents(untrusted_folder)
    COMMANDS[command](str(untrusted_folder))
    assert contents(private) == private_before
    assert contents(untrusted_folder) == untrusted_before


def test_store_with_links_to_objects_is_refused(untrusted_folder: Path, bench) -> None:
    """The objects could be those of a private repository."""
    repository_objects = bench.repository / ".git" / "objects"
    (untrusted_folder / "trees.git" / "objects" / "00").symlink_to(repository_objects)
    with pytest.raises(RunBroken, match="is not a regular file"):
        show(str(untrusted_folder), plain=True)


@pytest.mark.parametrize("name", ["alternates", "Alternates", "http-alternates"])
def test_alternates_are_refused(untrusted_folder: Path, bench, name: str) -> None:
    (untrusted_folder / "trees.git" / "objects" / "info" / name).write_text(
        f"{bench.repository / '.git' / 'objects'}\n"
    )
    for command in ("show", "report", "export"):
        with pytest.raises(RunBroken, match="refers to objects outside the run folder"):
            COMMANDS[command](str(untrusted_folder))


def test_pipe_among_objects_is_refused(untrusted_folder: Path) -> None:
    os.mkfifo(untrusted_folder / "trees.git" / "objects" / "info" / "commit-graph")
    with pytest.raises(RunBroken, match="is not a regular file"):
        show(str(untrusted_folder), plain=True)


def test_configuration_of_untrusted_store_is_not_used(untrusted_folder: Path, tmp_path: Path) -> None:
    """git would fetch a promised object with a command that the store names."""
    marker = tmp_path / "touched"
    (untrusted_folder / "trees.git" / "config").write_text(
        "[core]\n repositoryformatversion = 1\n bare = true\n[extensions]\n partialClone = origin\n"
        f'[remote "origin"]\n promisor = true\n url = {tmp_path}\n uploadpack = touch {marker};\n'
    )
    material = open_run(str(untrusted_folder), load_settings())
    assert "partialClone" not in git("config", "--list", env=material.trees.env).decode()
    assert not material.trees.has("1" * 40)
    material.close()
    assert not marker.exists()
    assert "GIT_NO_LAZY_FETCH" in OWN


@pytest.mark.slow
def test_linked_outputs_are_not_shown(untrusted_folder: Path, private: Path, capsys) -> None:
    observation = Observation("short", data={}, out=1)
    append_records(
        untrusted_folder,
        replace(last_step(untrusted_folder), n=last_step(untrusted_folder).n + 1, observations=(observation,)),
    )
    (untrusted_folder / "out" / "1").unlink(missing_ok=True)
    (untrusted_folder / "out" / "1").symlink_to(private / "id_rsa")
    show(str(untrusted_folder), str(last_step(untrusted_folder).n), plain=True)
    shutil.rmtree(untrusted_folder / "out")
    (untrusted_folder / "out").symlink_to(private)
    (private / "1").write_text("PRIVATE\n")
    show(str(untrusted_folder), str(last_step(untrusted_folder).n), plain=True)
    assert "PRIVATE" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_journal_that_is_link_or_pipe_is_not_read(untrusted_folder: Path, tmp_path: Path, kind: str) -> None:
    (untrusted_folder / "journal.jsonl").rename(tmp_path / "journal.jsonl")
    if kind == "pipe":
        os.mkfifo(untrusted_folder / "journal.jsonl")
    else:
        (untrusted_folder / "journal.jsonl").symlink_to(tmp_path / "journal.jsonl")
    with pytest.raises(SweAgentError):
        show(str(untrusted_folder), plain=True)
    with pytest.raises((SweAgentError, OSError)):
        copy_untrusted_run(untrusted_folder, load_settings(), {})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hard", "symbolic"])
def test_linked_lock_file_keeps_its_content(untrusted_folder: Path, private: Path, kind: str) -> None:
    (untrusted_folder / "lock").unlink(missing_ok=True)
    if kind == "hard":
        os.link(private / "id_rsa", untrusted_folder / "lock")
    else:
        (untrusted_folder / "lock").symlink_to(private / "id_rsa")
    replay(str(untrusted_folder))
    copy_untrusted_run(untrusted_folder, load_settings(), {})
    with pytest.raises(RunBroken, match="is not a lock file of swe-agent"):
        lock_run(untrusted_folder)
    assert (private / "id_rsa").read_text() == "PRIVATE\n"


@pytest.mark.slow
def test_untrusted_folder_is_unchanged(untrusted_folder: Path, capsys) -> None:
    (untrusted_folder / "lock").unlink(missing_ok=True)
    before = contents(untrusted_folder)
    for command in COMMANDS.values():
        command(str(untrusted_folder))
    copy_untrusted_run(untrusted_folder, load_settings(), {})
    assert contents(untrusted_folder) == before


@pytest.mark.slow
def test_gc_does_not_change_linked_repository(untrusted_folder: Path, bench) -> None:
    append_records(untrusted_folder, Exit("answered", 0, last_step(untrusted_folder).tree))
    own_copy = bench.settings.runs / "20260101-000000-abcdef"
    shutil.copytree(untrusted_folder, own_copy)
    shutil.rmtree(own_copy / "trees.git")
    repository_git = bench.repository / ".git"
    (own_copy / "trees.git").symlink_to(repository_git)
    for number in range(9):
        (bench.repository / f"{number}.txt").write_text(str(number))
        env = git_environ({"GIT_DIR": str(repository_git), "GIT_WORK_TREE": str(bench.repository)})
        id = git("hash-object", "-w", f"{number}.txt", env=env, cwd=bench.repository)
        pack = (
            git("pack-objects", "-q", str(repository_git / "objects" / "pack" / "pack"), env=env, input=id)
            .decode()
            .strip()
        )
        (repository_git / "objects" / "pack" / f"pack-{pack}.keep").touch()
    before = contents(repository_git)
    collect(bench.settings.runs, RemovalPlan())
    assert contents(repository_git) == before


# Writing


def test_link_in_place_of_temporary_file_is_not_followed(tmp_path: Path) -> None:
    user_file = tmp_path / "kept"
    user_file.write_text("mine\n")
    (tmp_path / ".r.html.new").symlink_to(user_file)
    write_durably(tmp_path / "r.html", b"report")
    assert (tmp_path / "r.html").read_bytes() == b"report"
    os.link(user_file, tmp_path / ".r.html.new")
    write_durably(tmp_path / "r.html", b"again")
    assert user_file.read_text() == "mine\n"


# Recorded output numbers


@pytest.mark.parametrize("number", ["/etc/hostname", "1", True, None, 1.0])
def test_output_is_recalled_only_by_integer_number(tmp_path: Path, number: object) -> None:
    journal = Journal(tmp_path / "run")
    try:
        assert journal.recall(journal.keep(b"kept")) == b"kept"
        with pytest.raises(RunBroken, match="not the number of an output"):
            journal.recall(number)
    finally:
        journal.close()


def test_list_of_tests_is_decompressed_up_to_limit() -> None:
    bomb = zlib.compress(bytes(MOST_NAMED + 1), 9)
    assert len(bomb) < 1_000_000
    for data in (bomb, b"no list", zlib.compress(b"a\nb")[:-6]):
        with pytest.raises(RunBroken, match="damaged or too long"):
            recall_names(data)
    assert recall_names(zlib.compress(b"a\nb", 1)) == ["a", "b"]


# Claims of an untrusted run


@pytest.fixture
def claimed_proof(untrusted_folder: Path) -> Path:
    """An untrusted run that claims a proof of its patch."""
    verdict = Verdict("verified", red=True, green=True, red_again=True, no_loss=True, commands=("sh proof.sh",))
    append_records(untrusted_folder, Exit("verified", 0, last_step(untrusted_folder).tree, verdict))
    (untrusted_folder / "proof.sh").write_text("touch /tmp/never\n")
    return untrusted_folder


def test_claimed_proof_is_shown_as_claim(claimed_proof: Path, capsys) -> None:
    show(str(claimed_proof), plain=True)
    output = capsys.readouterr().out
    assert "its records were not checked" in output
    assert "Claimed: verified. Recorded by someone else; not verified here." in output
    assert "a test proves it" not in output
    assert "proof.sh" not in output


@pytest.mark.slow
def test_claimed_proof_is_shown_as_claim_when_followed(claimed_proof: Path, capsys) -> None:
    show(str(claimed_proof), follow=True, plain=True)
    assert "Claimed: verified." in capsys.readouterr().out


def test_report_marks_proof_as_claimed(claimed_proof: Path) -> None:
    run_report = report_document([open_run(str(claimed_proof), load_settings())])["runs"][0]
    assert run_report["ended"]["kind"] == run_report["verdict"]["kind"] == "claimed: verified"
    assert run_report["ended"]["words"] == run_report["verdict"]["notes"][0] == NOT_CHECKED


@pytest.mark.parametrize(
    ("format", "expected"), [("markdown", NOT_CHECKED), ("atif", NOT_CHECKED), ("swe_agent", "claimed: verified")]
)
def test_export_marks_proof_as_claimed(claimed_proof: Path, capsys, format: str, expected: str) -> None:
    export([str(claimed_proof)], format)
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize("format", ["sft", "dpo", "rloo"])
def test_claimed_proof_is_not_training_data(claimed_proof: Path, capsys, format: str) -> None:
    material = open_run(str(claimed_proof), load_settings())
    assert not select_candidates([material]).groups
    assert select_candidates([replace(material, untrusted=False)]).groups
    with pytest.raises(UsageError):
        export([str(claimed_proof)], format)
    assert (
        "Left out: 1 not created by you on this computer, so its verdict cannot be trusted." in capsys.readouterr().err
    )
