"""Run folders that somebody else made, only read: nothing of the user's is written, shown or believed for them."""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cli.commands.export import command as export
from agent.cli.commands.report import command as report
from agent.cli.commands.show import command as show
from agent.config.settings import load_settings
from agent.runs.garbage_collection import RemovalPlan, collect
from agent.runs.run_fork import copy_untrusted_run
from agent.runs.run_lookup import open_run
from agent.runs.run_replay import begin_replay, replay_settings
from agent.runs.run_report import report_document
from tests.agent.runs.test_untrusted_run import appended, last, theirs
from tools.run_tests import MOST_NAMED, recall_names
from trajectories.errors import RunBroken, SweAgentError, UsageError
from trajectories.exports._candidate_groups import candidate_groups
from trajectories.git_commands import OWN, git, git_environ
from trajectories.journal import Journal, lock_run, write_durably
from trajectories.records import Exit, Observation, Verdict
from trajectories.run_data import NOT_CHECKED

__all__ = ["theirs"]


def contents(folder: Path) -> dict[str, str]:
    """Every path below a folder, with its kind, target or content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path)] = f"-> {path.readlink()}"
        else:
            found[str(path)] = hashlib.sha1(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


def replay(name: str) -> None:
    today = load_settings()
    material = open_run(name, today)
    begin_replay(material, replay_settings(material, today, "local"))


COMMANDS = {
    "show": lambda name: show(name, plain=True),
    "show-step": lambda name: show(name, "1", plain=True),
    "report": lambda name: report(name, out=Path("r.html")),
    "export": lambda name: export([name], "chat"),
    "predictions": lambda name: export([name], "predictions"),
    "replay": replay,
}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config").write_text("[mine]\n")
    (folder / "id_rsa").write_text("PRIVATE\n")
    return folder


@pytest.mark.parametrize("how", COMMANDS)
def test_store_that_is_link_is_not_written_to(theirs: Path, mine: Path, how: str) -> None:
    shutil.rmtree(theirs / "trees.git")
    (theirs / "trees.git").symlink_to(mine)
    before = contents(mine)
    with pytest.raises(RunBroken, match="holds no objects of its own"):
        COMMANDS[how](str(theirs))
    assert contents(mine) == before


@pytest.mark.parametrize("how", COMMANDS)
def test_files_of_store_that_are_links_are_not_written_to(theirs: Path, mine: Path, how: str) -> None:
    (theirs / "trees.git" / "HEAD").unlink()
    (theirs / "trees.git" / "config").unlink()
    (theirs / "trees.git" / "HEAD").symlink_to(mine / "new")
    (theirs / "trees.git" / "config").symlink_to(mine / "config")
    before, sent = contents(mine), contents(theirs)
    COMMANDS[how](str(theirs))
    assert contents(mine) == before
    assert contents(theirs) == sent


def test_store_with_links_to_objects_is_refused(theirs: Path, bench) -> None:
    """Whose objects these are, no one asked: they could be those of a private repository."""
    private = bench.repository / ".git" / "objects"
    (theirs / "trees.git" / "objects" / "00").symlink_to(private)
    with pytest.raises(RunBroken, match="is not a regular file"):
        show(str(theirs), plain=True)


@pytest.mark.parametrize("name", ["alternates", "Alternates", "http-alternates"])
def test_alternates_are_refused(theirs: Path, bench, name: str) -> None:
    (theirs / "trees.git" / "objects" / "info" / name).write_text(f"{bench.repository / '.git' / 'objects'}\n")
    for how in ("show", "report", "export"):
        with pytest.raises(RunBroken, match="leads to objects elsewhere"):
            COMMANDS[how](str(theirs))


def test_pipe_among_objects_is_refused(theirs: Path) -> None:
    os.mkfifo(theirs / "trees.git" / "objects" / "info" / "commit-graph")
    with pytest.raises(RunBroken, match="is not a regular file"):
        show(str(theirs), plain=True)


def test_configuration_of_sent_store_is_not_used(theirs: Path, tmp_path: Path) -> None:
    """A promised object was fetched, by a command that the store named."""
    touched = tmp_path / "touched"
    (theirs / "trees.git" / "config").write_text(
        "[core]\n repositoryformatversion = 1\n bare = true\n[extensions]\n partialClone = origin\n"
        f'[remote "origin"]\n promisor = true\n url = {tmp_path}\n uploadpack = touch {touched};\n'
    )
    material = open_run(str(theirs), load_settings())
    assert "partialClone" not in git("config", "--list", env=material.trees.env).decode()
    assert not material.trees.has("1" * 40)
    material.close()
    assert not touched.exists()
    assert "GIT_NO_LAZY_FETCH" in OWN


def test_outputs_that_are_links_are_not_shown(theirs: Path, mine: Path, capsys) -> None:
    seen = Observation("short", data={}, out=1)
    appended(theirs, replace(last(theirs), n=last(theirs).n + 1, observations=(seen,)))
    (theirs / "out" / "1").unlink(missing_ok=True)
    (theirs / "out" / "1").symlink_to(mine / "id_rsa")
    show(str(theirs), str(last(theirs).n), plain=True)
    shutil.rmtree(theirs / "out")
    (theirs / "out").symlink_to(mine)
    (mine / "1").write_text("PRIVATE\n")
    show(str(theirs), str(last(theirs).n), plain=True)
    assert "PRIVATE" not in capsys.readouterr().out


@pytest.mark.parametrize("target", ["link", "pipe"])
def test_journal_that_is_no_file_of_folder_is_not_read(theirs: Path, tmp_path: Path, target: str) -> None:
    (theirs / "journal.jsonl").rename(tmp_path / "journal.jsonl")
    if target == "pipe":
        os.mkfifo(theirs / "journal.jsonl")
    else:
        (theirs / "journal.jsonl").symlink_to(tmp_path / "journal.jsonl")
    with pytest.raises(SweAgentError):
        show(str(theirs), plain=True)
    with pytest.raises((SweAgentError, OSError)):
        copy_untrusted_run(theirs, load_settings(), {})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hard", "symbolic"])
def test_lock_that_is_another_file_keeps_its_content(theirs: Path, mine: Path, kind: str) -> None:
    (theirs / "lock").unlink(missing_ok=True)
    if kind == "hard":
        os.link(mine / "id_rsa", theirs / "lock")
    else:
        (theirs / "lock").symlink_to(mine / "id_rsa")
    replay(str(theirs))
    copy_untrusted_run(theirs, load_settings(), {})
    with pytest.raises(RunBroken, match="is not a lock of swe-agent"):
        lock_run(theirs)
    assert (mine / "id_rsa").read_text() == "PRIVATE\n"


@pytest.mark.slow
def test_sent_folder_stays_as_it_is(theirs: Path, capsys) -> None:
    (theirs / "lock").unlink(missing_ok=True)
    before = contents(theirs)
    for how in COMMANDS.values():
        how(str(theirs))
    copy_untrusted_run(theirs, load_settings(), {})
    assert contents(theirs) == before


def test_gc_leaves_other_repositories_alone(theirs: Path, bench) -> None:
    appended(theirs, Exit("answered", 0, last(theirs).tree))
    among = bench.settings.runs / "20260101-000000-abcdef"
    shutil.copytree(theirs, among)
    shutil.rmtree(among / "trees.git")
    own = bench.repository / ".git"
    (among / "trees.git").symlink_to(own)
    for number in range(9):
        (bench.repository / f"{number}.txt").write_text(str(number))
        env = git_environ({"GIT_DIR": str(own), "GIT_WORK_TREE": str(bench.repository)})
        id = git("hash-object", "-w", f"{number}.txt", env=env, cwd=bench.repository)
        pack = git("pack-objects", "-q", str(own / "objects" / "pack" / "pack"), env=env, input=id).decode().strip()
        (own / "objects" / "pack" / f"pack-{pack}.keep").touch()
    before = contents(own)
    collect(bench.settings.runs, RemovalPlan())
    assert contents(own) == before


# Writing


def test_link_beside_target_is_not_written_through(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("mine\n")
    (tmp_path / ".r.html.new").symlink_to(kept)
    write_durably(tmp_path / "r.html", b"report")
    assert (tmp_path / "r.html").read_bytes() == b"report"
    os.link(kept, tmp_path / ".r.html.new")
    write_durably(tmp_path / "r.html", b"again")
    assert kept.read_text() == "mine\n"


# Outputs that a record names


@pytest.mark.parametrize("number", ["/etc/hostname", "1", True, None, 1.0])
def test_output_is_recalled_by_its_number_only(tmp_path: Path, number: object) -> None:
    journal = Journal(tmp_path / "run")
    try:
        assert journal.recall(journal.keep(b"kept")) == b"kept"
        with pytest.raises(RunBroken, match="not the number of an output"):
            journal.recall(number)
    finally:
        journal.close()


def test_list_of_tests_is_unpacked_up_to_limit() -> None:
    bomb = zlib.compress(bytes(MOST_NAMED + 1), 9)
    assert len(bomb) < 1_000_000
    for data in (bomb, b"no list", zlib.compress(b"a\nb")[:-6]):
        with pytest.raises(RunBroken, match="damaged or too long"):
            recall_names(data)
    assert recall_names(zlib.compress(b"a\nb", 1)) == ["a", "b"]


# What it claims


@pytest.fixture
def proven(theirs: Path) -> Path:
    """Their run, with a claim that its patch was proven."""
    verdict = Verdict("verified", red=True, green=True, red_again=True, no_loss=True, commands=("sh proof.sh",))
    appended(theirs, Exit("verified", 0, last(theirs).tree, verdict))
    (theirs / "proof.sh").write_text("touch /tmp/never\n")
    return theirs


def test_claimed_proof_is_shown_as_claim(proven: Path, capsys) -> None:
    show(str(proven), plain=True)
    shown = capsys.readouterr().out
    assert "its records were not checked" in shown
    assert "Claimed: verified. Recorded by someone else; not verified here." in shown
    assert "a test proves it" not in shown
    assert "proof.sh" not in shown


@pytest.mark.slow
def test_claimed_proof_is_followed_as_claim(proven: Path, capsys) -> None:
    show(str(proven), follow=True, plain=True)
    assert "Claimed: verified." in capsys.readouterr().out


def test_report_says_what_is_claimed(proven: Path) -> None:
    told = report_document([open_run(str(proven), load_settings())])["runs"][0]
    assert told["ended"]["kind"] == told["verdict"]["kind"] == "claimed: verified"
    assert told["ended"]["words"] == told["verdict"]["notes"][0] == NOT_CHECKED


@pytest.mark.parametrize(
    ("format", "said"), [("markdown", NOT_CHECKED), ("atif", NOT_CHECKED), ("swe_agent", "claimed: verified")]
)
def test_export_says_what_is_claimed(proven: Path, capsys, format: str, said: str) -> None:
    export([str(proven)], format)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("format", ["sft", "dpo", "rloo"])
def test_nothing_is_learned_from_claim(proven: Path, capsys, format: str) -> None:
    material = open_run(str(proven), load_settings())
    assert not candidate_groups([material])
    assert candidate_groups([replace(material, untrusted=False)])
    with pytest.raises(UsageError):
        export([str(proven)], format)
    assert "was not created by you here and is skipped" in capsys.readouterr().err
