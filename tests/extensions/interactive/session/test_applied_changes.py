"""`/apply` and `/apply --undo`: changes of a session in the user's files, and their reversal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.permissions.approvals import Answer
from agent.run_state.merge_base import find_merge_base, present_tree
from extensions.interactive.session import applied_changes, recorded_effects
from tests.conftest import git
from trajectories.errors import UsageError
from trajectories.records import Note

LINES = [b"line %d\n" % n for n in range(30)]


def a_text(**lines: bytes) -> bytes:
    """The content of a.txt with some lines changed: `_3=b"new\\n"`."""
    return b"".join(lines.get(f"_{n}", line) for n, line in enumerate(LINES))


def test_only_approved_changes_are_written(session) -> None:
    session.begin()
    before = session.index(), session.git("rev-parse", "HEAD")
    session.change_files({"a.txt": a_text(_3=b"three\n"), "b.txt": None, "new/d.txt": b"d\n"})
    message = session.say("/apply")
    assert message == "Applied to 3 files. /apply --undo reverts this."
    assert session.file("a.txt").read_bytes() == a_text(_3=b"three\n")
    assert not session.file("b.txt").exists()
    assert session.file("new/d.txt").read_bytes() == b"d\n"
    assert (session.index(), session.git("rev-parse", "HEAD")) == before
    question = session.questions[0]
    assert question.kind == "apply"
    assert question.subject.split("\n") == ["a.txt", "b.txt", "new/d.txt"]
    assert len(question.parts) == 3
    assert question.detail.count("diff --git") == 3
    assert session.say("/apply") == "There is nothing to apply: your files have all changes of the session."
    assert len(session.questions) == 1


def test_refused_changes_stay_with_session(session) -> None:
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"three\n", _25=b"twenty-five\n")})
    session.answers = [
        Answer(False, reason="Not now."),
        Answer(True, chosen=()),
        Answer(True, chosen=(1,)),
        Answer(True),
    ]
    assert session.say("/apply") == "Nothing was applied. Not now."
    assert session.say("/apply") == "Nothing was applied: no hunk was chosen."
    assert session.file("a.txt").read_bytes() == a_text()
    session.say("/apply")
    assert session.file("a.txt").read_bytes() == a_text(_25=b"twenty-five\n")
    session.say("/apply")
    assert [len(question.parts) for question in session.questions] == [2, 2, 2, 1]
    assert session.file("a.txt").read_bytes() == session.run_file("a.txt")


def test_paths_select_changes(session) -> None:
    session.begin()
    session.change_files({"b.txt": b"B\n", "dir/c.txt": b"C\n"})
    with pytest.raises(UsageError, match=r"There is no nowhere or a\.txt among the session's changes\."):
        session.say("/apply nowhere b.txt a.txt")
    assert session.questions == []
    session.say(f"/apply {session.root}/dir/")
    assert (session.file("b.txt").read_bytes(), session.file("dir/c.txt").read_bytes()) == (b"b\n", b"C\n")
    assert "your files have all changes of the session in dir." in session.say("/apply dir")


def test_users_edits_before_and_during_question_are_kept(session) -> None:
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"three\n")})
    session.file("a.txt").write_bytes(a_text(_20=b"mine\n"))

    def edit_and_approve(_) -> Answer:
        session.file("a.txt").write_bytes(a_text(_20=b"mine\n", _28=b"mine too\n"))
        session.file("b.txt").write_bytes(b"mine\n")
        return Answer(True)

    session.answers = [edit_and_approve]
    session.say("/apply")
    assert session.file("a.txt").read_bytes() == a_text(_3=b"three\n", _20=b"mine\n", _28=b"mine too\n")
    assert session.file("b.txt").read_bytes() == b"mine\n"


def test_conflicting_change_is_left_out_and_reported(session) -> None:
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"theirs\n"), "b.txt": b"B\n"})
    session.file("a.txt").write_bytes(a_text(_3=b"mine\n"))
    message = session.say("/apply")
    assert message.startswith("Applied to b.txt.")
    assert "Skipped, because you changed them too: a.txt (the same lines changed on both sides)." in message
    assert "Then use /apply again." in message
    assert "a.txt (the same lines" in session.questions[0].title
    assert session.file("a.txt").read_bytes() == a_text(_3=b"mine\n")
    assert b"<<<<" not in session.file("a.txt").read_bytes()
    question_count = len(session.questions)
    assert "Nothing was applied." in session.say("/apply")  # the change is still pending
    assert len(session.questions) == question_count, "there is nothing to approve"


@pytest.mark.parametrize("option", ["--assume-unchanged", "--skip-worktree"])
def test_change_of_file_with_hidden_edit_is_left_out(session, option: str) -> None:
    session.git("update-index", option, "a.txt", "dir/c.txt")
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"three\n"), "b.txt": b"B\n", "dir/c.txt": b"C\n"})
    session.file("a.txt").write_bytes(a_text(_3=b"mine\n"))
    message = session.say("/apply")
    assert f"a.txt (git ignores your edits of it; git update-index --no{option[1:]} a.txt ends that)" in message
    assert session.file("a.txt").read_bytes() == a_text(_3=b"mine\n")
    assert [session.file(name).read_bytes() for name in ("b.txt", "dir/c.txt")] == [b"B\n", b"C\n"]


def test_ignored_file_is_not_overwritten(session) -> None:
    session.begin()
    session.change_files({"new.log": b"theirs\n", "b.txt": b"B\n"})
    (session.root / ".git/info/exclude").write_text("*.log\n")
    session.file("new.log").write_bytes(b"mine\n")
    message = session.say("/apply")
    assert message.startswith("Applied to b.txt.")
    assert "new.log (you have one that git ignores)" in message
    assert (session.file("new.log").read_bytes(), session.file("b.txt").read_bytes()) == (b"mine\n", b"B\n")
    session.file("new.log").unlink()
    assert session.say("/apply").startswith("Applied to new.log.")


@pytest.mark.parametrize("kind", ["file", "link"])
def test_ignored_file_in_place_of_folder_is_not_replaced(session, tmp_path: Path, kind: str) -> None:
    session.begin()
    session.change_files({"build/x.txt": b"theirs\n", "b.txt": b"B\n"})
    (session.root / ".git/info/exclude").write_text("build\n")
    if kind == "link":
        session.file("build").symlink_to(tmp_path)
    else:
        session.file("build").write_bytes(b"mine\n")
    message = session.say("/apply")
    assert message.startswith("Applied to b.txt.")
    assert f"build/x.txt (you have the {kind} build that git ignores)" in message
    assert session.file("b.txt").read_bytes() == b"B\n"
    assert session.file("build").is_symlink() == (kind == "link")
    assert not (tmp_path / "x.txt").exists()
    session.file("build").unlink()
    assert session.say("/apply").startswith("Applied to build/x.txt.")


def test_tracked_file_or_link_becomes_folder(session, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"mine\n")
    session.file("link").symlink_to(tmp_path)
    session.begin()
    session.change_files({"b.txt": None, "b.txt/x.txt": b"X\n", "link": None, "link/x.txt": b"X\n"})
    assert session.say("/apply").startswith("Applied to 4 files.")
    assert (session.file("b.txt/x.txt").read_bytes(), session.file("link/x.txt").read_bytes()) == (b"X\n", b"X\n")
    assert (tmp_path / "x.txt").read_bytes() == b"mine\n"


def test_conflicting_revert_can_be_repeated(session) -> None:
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"theirs\n"), "b.txt": b"B\n"})
    session.say("/apply")
    session.file("a.txt").write_bytes(a_text(_3=b"mine\n"))
    assert "a.txt (the same lines" in session.say("/apply --undo")
    assert session.file("b.txt").read_bytes() == b"b\n"
    session.file("a.txt").write_bytes(a_text(_3=b"theirs\n"))
    assert session.say("/apply --undo").startswith("Reverted in a.txt.")
    assert session.file("a.txt").read_bytes() == a_text()
    assert session.say("/apply --undo") == "There is nothing to revert: no applied change is left."


def test_resolved_conflict_can_be_applied(session) -> None:
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"theirs\n"), "b.txt": b"B\n"})
    session.file("a.txt").write_bytes(a_text(_3=b"mine\n", _20=b"mine\n"))
    session.say("/apply")
    (step,) = session.start_turn()
    assert step.author == "host"
    assert "+mine" in step.observations[0].text
    assert "a.txt (the same lines changed on both sides)" in step.observations[0].text
    assert session.run_file("a.txt") == a_text(_3=b"theirs\n")
    assert session.start_turn() == [], "the conflict is reported once"
    session.change_files({"a.txt": a_text(_3=b"both\n", _20=b"mine\n")})
    session.say("/apply")
    assert "-mine" in session.questions[-1].detail
    assert session.file("a.txt").read_bytes() == a_text(_3=b"both\n", _20=b"mine\n")


def test_users_edits_reach_next_turn_and_are_not_applied_back(session) -> None:
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"three\n")})
    assert session.start_turn() == []
    session.file("a.txt").write_bytes(a_text(_20=b"mine\n"))
    session.file("own.txt").write_bytes(b"own\n")
    assert applied_changes.pending_user_changes(session.engine) == ("a.txt", "own.txt")
    (step,) = session.start_turn()
    assert step.observations[0].text.startswith(
        "[In the meantime the user changed M a.txt, A own.txt: your workspace now has these changes.]"
    )
    assert applied_changes.pending_user_changes(session.engine) == ()
    assert session.run_file("a.txt") == a_text(_3=b"three\n", _20=b"mine\n")
    assert session.run_file("own.txt") == b"own\n"
    assert session.say("/diff").count("\n+") == 2  # the header and the line
    session.say("/apply")
    assert session.questions[-1].subject == "a.txt"
    assert session.file("a.txt").read_bytes() == a_text(_3=b"three\n", _20=b"mine\n")


def test_resumed_run_takes_over_same_edits(session) -> None:
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.file("own.txt").write_bytes(b"own\n")
    (step,) = session.start_turn()
    session.file("own.txt").write_bytes(b"changed again\n")
    session.reopen()
    from agent.engine.branch import Branch
    from agent.lifecycle.user_change_detection import take_over_changes

    branch = Branch(session.engine)
    assert [repeated.tree for repeated in take_over_changes(branch)] == [step.tree] == [branch.tree]
    assert applied_changes.pending_user_changes(session.engine) == ("own.txt",)


def test_revert_undoes_only_applied_changes(session) -> None:
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"three\n"), "b.txt": None, "new.txt": b"n\n"})
    session.say("/apply")
    session.file("a.txt").write_bytes(a_text(_3=b"three\n", _20=b"mine\n"))
    before = session.index(), session.git("rev-parse", "HEAD")
    message = session.say("/apply --undo")
    assert message == "Reverted in 3 files. The session still has the changes; /apply applies them."
    assert session.file("a.txt").read_bytes() == a_text(_20=b"mine\n")
    assert session.file("b.txt").read_bytes() == b"b\n"
    assert not session.file("new.txt").exists()
    assert (session.index(), session.git("rev-parse", "HEAD")) == before
    assert session.questions[-1].kind == "apply"
    assert session.say("/apply --undo") == "There is nothing to revert: no applied change is left."
    session.say("/apply")
    assert session.file("a.txt").read_bytes() == a_text(_3=b"three\n", _20=b"mine\n")


def test_revert_undoes_one_apply_and_reports_conflicts(session) -> None:
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.say("/apply")
    session.change_files({"a.txt": a_text(_3=b"three\n")})
    session.say("/apply")
    session.file("a.txt").write_bytes(a_text(_3=b"mine\n"))
    session.say("/apply --undo")
    assert "a.txt (the same lines" in session.messages[-2]
    assert session.file("a.txt").read_bytes() == a_text(_3=b"mine\n")
    assert session.file("b.txt").read_bytes() == b"b\n"


@pytest.mark.slow
def test_failed_revert_leaves_changes_applied(session) -> None:
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"theirs\n", _10=b"theirs\n")})
    session.say("/apply")
    session.file("a.txt").write_bytes(a_text(_3=b"mine\n", _10=b"theirs\n"))
    question_count = len(session.questions)
    assert session.say("/apply --undo").startswith("The changes applied to a.txt cannot be reverted. Skipped,")
    assert len(session.questions) == question_count, "there is nothing to approve"
    session.file("a.txt").write_bytes(a_text(_3=b"theirs\n", _10=b"theirs\n"))
    assert session.say("/commit").startswith("Commit "), "the change does not count as reverted"
    assert session.git("status", "--short") == ""
    assert session.say("/apply --undo").startswith("Reverted in a.txt.")
    assert session.file("a.txt").read_bytes() == a_text()
    session.change_files({"b.txt": b"B\n"})
    session.say("/apply b.txt")
    session.file("b.txt").write_bytes(b"b\n")
    assert session.say("/apply --undo") == "Your files no longer contain what was applied last."


def test_refused_revert_changes_nothing(session) -> None:
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.answers = [Answer(True), Answer(False)]
    session.say("/apply")
    assert session.say("/apply --undo") == "Nothing was reverted."
    assert session.file("b.txt").read_bytes() == b"B\n"


def test_apply_after_undo_reverts_only_changes_of_session(session) -> None:
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.start_turn()
    session.file("own.txt").write_bytes(b"own\n")
    session.start_turn()
    session.change_files({"dir/c.txt": b"C\n"})
    session.say("/apply")
    session.step("undo", session.engine.run.base.tree, rewind=0, turns=2)
    session.say("/apply")
    assert session.file("own.txt").read_bytes() == b"own\n"
    assert (session.file("b.txt").read_bytes(), session.file("dir/c.txt").read_bytes()) == (b"b\n", b"c\n")
    (step,) = session.start_turn()
    assert "A own.txt" in step.observations[0].text


def test_staged_and_unstaged_edits_are_kept(session) -> None:
    session.file("a.txt").write_bytes(a_text(_10=b"staged\n"))
    session.git("add", "a.txt")
    session.file("a.txt").write_bytes(a_text(_10=b"staged\n", _20=b"unstaged\n"))
    session.begin()
    before = session.index()
    session.change_files({"a.txt": a_text(_3=b"three\n", _10=b"staged\n", _20=b"unstaged\n")})
    session.say("/apply")
    assert session.index() == before
    assert session.git("show", ":a.txt").encode() + b"\n" == a_text(_10=b"staged\n")
    assert session.file("a.txt").read_bytes() == a_text(_3=b"three\n", _10=b"staged\n", _20=b"unstaged\n")
    session.say("/apply --undo")
    assert session.file("a.txt").read_bytes() == a_text(_10=b"staged\n", _20=b"unstaged\n")


def test_users_line_endings_are_kept(session) -> None:
    session.git("config", "core.autocrlf", "true")
    session.file("a.txt").write_bytes(a_text().replace(b"\n", b"\r\n"))
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"three\n")})
    assert applied_changes.pending_user_changes(session.engine) == ()
    session.say("/apply")
    assert session.file("a.txt").read_bytes() == a_text(_3=b"three\n").replace(b"\n", b"\r\n")
    session.say("/apply --undo")
    assert session.file("a.txt").read_bytes() == a_text().replace(b"\n", b"\r\n")


def test_git_filters_are_applied_to_written_files(session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = tmp_path / "gitconfig"
    users.write_text('[filter "caps"]\n\tclean = tr A-Z a-z\n\tsmudge = tr a-z A-Z\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(users))
    session.git("config", "include.path", str(users))  # the tests' own git reads no configuration of the user
    session.file(".gitattributes").write_bytes(b"b.txt filter=caps\n")
    session.file("b.txt").write_bytes(b"B\nTWO\nTHREE\n")
    session.git("add", "-A")
    session.git("commit", "-qm", "filtered")
    session.begin()
    assert session.run_file("b.txt") == b"b\ntwo\nthree\n"
    session.change_files({"b.txt": b"b\ntwo\nthree\nfour\n"})
    session.say("/apply")
    assert session.file("b.txt").read_bytes() == b"B\nTWO\nTHREE\nFOUR\n"


def test_modes_links_binaries_and_renames_are_applied_and_reverted(session) -> None:
    session.file("run.sh").write_bytes(b"#!/bin/sh\n")
    session.file("bin").write_bytes(b"\0\1\2")
    session.git("add", "-A")
    session.git("commit", "-qm", "more")
    session.begin()
    trees = session.engine.trees
    session.change_files({"bin": b"\0\3", "b.txt": None, "renamed.txt": b"b\n"})
    run = trees.files(session.tree)["run.sh"].id
    target = trees.files(trees.write({"t": b"dir/c.txt"}, session.tree))["t"].id
    listing = "".join(f"{entry.mode} {entry.id} 0\t{path}\0" for path, entry in trees.files(session.tree).items())
    listing = listing.replace(f"100644 {run}", f"100755 {run}") + f"120000 {target} 0\tlink\0"
    session.step("coder", trees.adopt(listing.encode(), []))
    session.say("/apply")
    assert os.access(session.file("run.sh"), os.X_OK)
    assert session.file("bin").read_bytes() == b"\0\3"
    assert session.file("link").readlink() == Path("dir/c.txt")
    assert (session.file("b.txt").exists(), session.file("renamed.txt").read_bytes()) == (False, b"b\n")
    session.say("/apply --undo")
    assert (session.git("status", "--short"), session.file("bin").read_bytes()) == ("", b"\0\1\2")


def test_changes_apply_beside_dirty_submodule_and_to_read_only_file(session, make_repo) -> None:
    other = make_repo({"x": "x\n"})
    session.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "module")
    session.git("commit", "-qm", "a submodule")
    session.file("b.txt").chmod(0o444)
    session.begin()
    session.file("module/x").write_bytes(b"dirty\n")
    session.change_files({"b.txt": b"B\n"})
    session.say("/apply")
    assert session.file("b.txt").read_bytes() == b"B\n"
    assert session.file("module/x").read_bytes() == b"dirty\n"
    assert session.questions[0].subject == "b.txt"


def test_question_names_files_that_run_automatically(session) -> None:
    session.begin()
    session.change_files({".vscode/tasks.json": b"{}", "b.txt": b"B\n"})
    message = session.say("/apply")
    named = "Check these before you use them: .vscode/tasks.json (takes effect when an editor opens the folder)."
    assert session.questions[0].title.endswith(f"? {named}")
    assert message == f"Applied to 2 files. /apply --undo reverts this. {named}"
    session.say("/commit Add tasks")
    assert session.questions[-1].title.endswith(f"? {named}")


@pytest.mark.parametrize("command", ["/apply", "/commit x", "/commit --branch other x"])
def test_file_that_git_includes_is_neither_applied_nor_committed(session, command: str) -> None:
    git(session.root, "config", "include.path", "../tools/gitcfg")
    session.begin()
    session.change_files({"tools/gitcfg": b"[core]\n\tfsmonitor = false\n", "b.txt": b"B\n"})
    refused = r"The patch is not delivered: tools/gitcfg \(git reads its configuration from it"
    with pytest.raises(UsageError, match=refused):
        session.say(command)
    assert not session.questions
    assert not (session.root / "tools").exists()


def test_question_names_program_of_an_alias(session) -> None:
    git(session.root, "config", "alias.lint", "!tools/lint --all")
    session.begin()
    session.change_files({"tools/lint": b"#!/bin/sh\n"})
    session.say("/apply")
    named = "tools/lint (is named by alias.lint in git's configuration)."
    assert session.questions[0].title.endswith(f"? Check these before you use them: {named}")


@pytest.mark.parametrize("command", ["/apply", "/commit x", "/commit --branch other x"])
def test_embedded_git_directory_is_neither_applied_nor_committed(session, command: str) -> None:
    session.begin()
    session.change_files({"demo/HEAD": b"x", "demo/objects/a": b"", "demo/refs/a": b"", "b.txt": b"B\n"})
    with pytest.raises(UsageError, match=r"The patch is not delivered: demo/HEAD \(a part of a git directory"):
        session.say(command)
    assert not session.questions
    assert not session.file("demo").exists()
    session.say("/apply b.txt")
    assert session.file("b.txt").read_bytes() == b"B\n"


def test_change_is_not_written_through_link(session, tmp_path: Path) -> None:
    session.begin()
    session.change_files({"dir/c.txt": b"C\n", "dir/new.txt": b"n\n"})
    outside = tmp_path / "outside"
    session.file("dir").rename(outside)
    session.file("dir").symlink_to(outside)
    message = session.say("/apply")
    assert "dir/c.txt" in message
    assert (outside / "c.txt").read_bytes() == b"c\n"
    assert not (outside / "new.txt").exists()


def test_file_changed_during_apply_stops_all_changes(session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"three\n"), "b.txt": b"B\n"})
    write = recorded_effects.write

    def edit_and_write(engine, old: str, new: str) -> None:
        session.file("b.txt").write_bytes(b"mine\n")
        write(engine, old, new)

    monkeypatch.setattr(recorded_effects, "write", edit_and_write)
    with pytest.raises(UsageError, match=r"b\.txt"):
        session.say("/apply")
    assert session.file("a.txt").read_bytes() == a_text()
    monkeypatch.setattr(recorded_effects, "write", write)
    assert "b.txt" in session.say("/apply")
    assert session.file("a.txt").read_bytes() == a_text(_3=b"three\n")


CRASH = """
import os, signal, sys
from tests.extensions.interactive.session.conftest import FakeSession
from extensions.interactive.session import recorded_effects as effects
from pathlib import Path
session = FakeSession(Path(sys.argv[1]), Path(sys.argv[2]))
session.run = Path(sys.argv[3])
session.reopen()
write = effects.write
def write_and_die(engine, old, new):
    if sys.argv[4] == "after":
        write(engine, old, new)
    if sys.argv[4] == "half":
        os.unlink(session.root / "b.txt")
        (session.root / "a.txt").write_bytes(engine.trees.read(new, "a.txt"))
        (session.root / "new.txt").write_bytes(b"hal")
    os.kill(os.getpid(), signal.SIGKILL)
effects.write = write_and_die
session.say("/apply")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "message_part", "applied"),
    [
        ("before", "before it could apply", False),
        ("half", "they are applied now", True),
        ("after", "they are applied now", True),
    ],
)
def test_interrupted_apply_is_detected_after_kill(session, moment: str, message_part: str, applied: bool) -> None:
    session.begin()
    session.change_files({"a.txt": a_text(_3=b"three\n"), "b.txt": b"B\n", "new.txt": b"half and half\n"})
    session.close()
    root = Path(__file__).resolve().parents[4]
    command = [sys.executable, "-c", CRASH, session.root, session.settings.state, session.run, moment]
    process = subprocess.run(command, cwd=root, capture_output=True, env=os.environ | {"PYTHONPATH": str(root)})
    assert process.returncode == -signal.SIGKILL, process.stderr
    session.reopen()
    applied_changes.finish_interrupted_apply(session)
    assert message_part in session.messages[-1]
    assert (session.file("b.txt").read_bytes() == b"B\n") == applied
    assert session.file("new.txt").exists() == applied
    assert not session.file("new.txt").exists() or session.file("new.txt").read_bytes() == b"half and half\n"
    count = len(session.messages)
    applied_changes.finish_interrupted_apply(session)
    assert len(session.messages) == count, "the check runs once"
    session.say("/apply")
    assert len(session.questions) == (0 if applied else 1)
    assert session.file("a.txt").read_bytes() == a_text(_3=b"three\n")
    session.say("/apply --undo")
    assert session.git("status", "--short") == ""


def test_session_at_revision_does_not_take_over_edits(session) -> None:
    session.file("b.txt").write_bytes(b"mine\n")
    session.begin("HEAD")
    session.engine.journal.append(Note("main", "life", "at HEAD", {"revision": "HEAD"}))
    session.change_files({"dir/c.txt": b"C\n"})
    assert session.start_turn() == []
    session.say("/apply")
    assert (session.file("b.txt").read_bytes(), session.file("dir/c.txt").read_bytes()) == (b"mine\n", b"C\n")


def test_merge_base_is_rebuilt_from_records(session) -> None:
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.say("/apply")
    session.file("a.txt").write_bytes(a_text(_20=b"mine\n"))
    session.start_turn()
    engine = session.engine
    merge_base = find_merge_base(engine.trees, engine.trajectory, engine.run.base.tree)
    session.reopen()
    engine = session.engine
    assert find_merge_base(engine.trees, engine.trajectory, engine.run.base.tree) == merge_base
    assert merge_base.tree == present_tree(engine.trajectory, engine.run.base.tree)


def test_diff_is_limited_to_turn_or_paths(session) -> None:
    session.begin()
    assert session.say("/diff") == "Not applied yet: no changes."
    session.change_files({"b.txt": b"B\n"})
    session.start_turn()
    session.change_files({"dir/c.txt": b"C\n"})
    assert session.say("/diff").count("diff --git") == 2
    assert session.titles[-1] == "Not applied yet: 2 files, +2 -2"
    assert "dir/c.txt" not in session.say("/diff turn 1")
    assert "b.txt" not in session.say("/diff turn 2")
    assert "b.txt" not in session.say("/diff dir")
    for words in ("turn", "turn 3", "turn x", "'"):
        with pytest.raises(UsageError):
            session.say(f"/diff {words}")
