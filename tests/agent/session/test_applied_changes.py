"""Changes of a session on their way to the user's files, and back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agent.permissions.approvals import Answer
from agent.run_state.merge_base import find_merge_base, present_tree
from agent.session import applied_changes, recorded_effects
from trajectories.errors import UsageError
from trajectories.records import Note

LINES = [b"line %d\n" % n for n in range(30)]


def text(**lines: bytes) -> bytes:
    """a.txt with some lines changed: `_3=b"new\\n"`."""
    return b"".join(lines.get(f"_{n}", line) for n, line in enumerate(LINES))


def test_all_that_is_agreed_to_is_written_and_nothing_else(desk) -> None:
    desk.begin()
    before = desk.index(), desk.git("rev-parse", "HEAD")
    desk.changes({"a.txt": text(_3=b"three\n"), "b.txt": None, "new/d.txt": b"d\n"})
    said = desk.say("/apply")
    assert said == "Applied to 3 files. /apply --undo reverts this."
    assert desk.file("a.txt").read_bytes() == text(_3=b"three\n")
    assert not desk.file("b.txt").exists()
    assert desk.file("new/d.txt").read_bytes() == b"d\n"
    assert (desk.index(), desk.git("rev-parse", "HEAD")) == before
    question = desk.asked[0]
    assert question.kind == "apply"
    assert question.subject.split("\n") == ["a.txt", "b.txt", "new/d.txt"]
    assert len(question.parts) == 3
    assert question.detail.count("diff --git") == 3
    assert desk.say("/apply") == "There is nothing to apply: your files have all changes of the session."
    assert len(desk.asked) == 1


def test_what_is_refused_or_not_chosen_stays_with_session(desk) -> None:
    desk.begin()
    desk.changes({"a.txt": text(_3=b"three\n", _25=b"twenty-five\n")})
    desk.answers = [Answer(False, reason="Not now."), Answer(True, chosen=()), Answer(True, chosen=(1,)), Answer(True)]
    assert desk.say("/apply") == "Nothing was applied. Not now."
    assert desk.say("/apply") == "Nothing was applied: no hunk was chosen."
    assert desk.file("a.txt").read_bytes() == text()
    desk.say("/apply")
    assert desk.file("a.txt").read_bytes() == text(_25=b"twenty-five\n")
    desk.say("/apply")
    assert [len(question.parts) for question in desk.asked] == [2, 2, 2, 1]
    assert desk.file("a.txt").read_bytes() == desk.ours("a.txt")


def test_paths_choose_too(desk) -> None:
    desk.begin()
    desk.changes({"b.txt": b"B\n", "dir/c.txt": b"C\n"})
    assert "your files have all changes of the session in nowhere." in desk.say("/apply nowhere")
    desk.say(f"/apply {desk.root}/dir/")
    assert (desk.file("b.txt").read_bytes(), desk.file("dir/c.txt").read_bytes()) == (b"b\n", b"C\n")


def test_users_own_edits_stay_where_they_are_also_those_made_while_asked(desk) -> None:
    desk.begin()
    desk.changes({"a.txt": text(_3=b"three\n")})
    desk.file("a.txt").write_bytes(text(_20=b"mine\n"))

    def meanwhile(_) -> Answer:
        desk.file("a.txt").write_bytes(text(_20=b"mine\n", _28=b"mine too\n"))
        desk.file("b.txt").write_bytes(b"mine\n")
        return Answer(True)

    desk.answers = [meanwhile]
    desk.say("/apply")
    assert desk.file("a.txt").read_bytes() == text(_3=b"three\n", _20=b"mine\n", _28=b"mine too\n")
    assert desk.file("b.txt").read_bytes() == b"mine\n"


def test_what_both_changed_is_left_out_and_named(desk) -> None:
    desk.begin()
    desk.changes({"a.txt": text(_3=b"theirs\n"), "b.txt": b"B\n"})
    desk.file("a.txt").write_bytes(text(_3=b"mine\n"))
    said = desk.say("/apply")
    assert said.startswith("Applied to b.txt.")
    assert "Left out, because you changed them too: a.txt (the same lines changed on both sides)." in said
    assert "Then use /apply again." in said
    assert "a.txt (the same lines" in desk.asked[0].title
    assert desk.file("a.txt").read_bytes() == text(_3=b"mine\n")
    assert b"<<<<" not in desk.file("a.txt").read_bytes()
    asked = len(desk.asked)
    assert "Nothing was applied." in desk.say("/apply")  # it is still the session's
    assert len(desk.asked) == asked, "a yes could do nothing"


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_edit_that_git_was_told_to_overlook_is_left_out_and_others_are_applied(desk, mark: str) -> None:
    desk.git("update-index", mark, "a.txt", "dir/c.txt")
    desk.begin()
    desk.changes({"a.txt": text(_3=b"three\n"), "b.txt": b"B\n", "dir/c.txt": b"C\n"})
    desk.file("a.txt").write_bytes(text(_3=b"mine\n"))
    said = desk.say("/apply")
    assert f"a.txt (git ignores your edits of it; git update-index --no{mark[1:]} a.txt ends that)" in said
    assert desk.file("a.txt").read_bytes() == text(_3=b"mine\n")
    assert [desk.file(name).read_bytes() for name in ("b.txt", "dir/c.txt")] == [b"B\n", b"C\n"]


def test_file_that_git_ignores_stays_and_others_are_applied(desk) -> None:
    desk.begin()
    desk.changes({"new.log": b"theirs\n", "b.txt": b"B\n"})
    (desk.root / ".git/info/exclude").write_text("*.log\n")
    desk.file("new.log").write_bytes(b"mine\n")
    said = desk.say("/apply")
    assert said.startswith("Applied to b.txt.")
    assert "new.log (you have one that git ignores)" in said
    assert (desk.file("new.log").read_bytes(), desk.file("b.txt").read_bytes()) == (b"mine\n", b"B\n")
    desk.file("new.log").unlink()
    assert desk.say("/apply").startswith("Applied to new.log.")


@pytest.mark.parametrize("what", ["file", "link"])
def test_what_git_ignores_in_folders_place_stays_and_others_are_applied(desk, tmp_path: Path, what: str) -> None:
    desk.begin()
    desk.changes({"build/x.txt": b"theirs\n", "b.txt": b"B\n"})
    (desk.root / ".git/info/exclude").write_text("build\n")
    if what == "link":
        desk.file("build").symlink_to(tmp_path)
    else:
        desk.file("build").write_bytes(b"mine\n")
    said = desk.say("/apply")
    assert said.startswith("Applied to b.txt.")
    assert f"build/x.txt (you have the {what} build that git ignores)" in said
    assert desk.file("b.txt").read_bytes() == b"B\n"
    assert desk.file("build").is_symlink() == (what == "link")
    assert not (tmp_path / "x.txt").exists()
    desk.file("build").unlink()
    assert desk.say("/apply").startswith("Applied to build/x.txt.")


def test_tracked_file_or_link_becomes_folder(desk, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"mine\n")
    desk.file("link").symlink_to(tmp_path)
    desk.begin()
    desk.changes({"b.txt": None, "b.txt/x.txt": b"X\n", "link": None, "link/x.txt": b"X\n"})
    assert desk.say("/apply").startswith("Applied to 4 files.")
    assert (desk.file("b.txt/x.txt").read_bytes(), desk.file("link/x.txt").read_bytes()) == (b"X\n", b"X\n")
    assert (tmp_path / "x.txt").read_bytes() == b"mine\n"


def test_what_could_not_be_taken_back_can_be_later(desk) -> None:
    desk.begin()
    desk.changes({"a.txt": text(_3=b"theirs\n"), "b.txt": b"B\n"})
    desk.say("/apply")
    desk.file("a.txt").write_bytes(text(_3=b"mine\n"))
    assert "a.txt (the same lines" in desk.say("/apply --undo")
    assert desk.file("b.txt").read_bytes() == b"b\n"
    desk.file("a.txt").write_bytes(text(_3=b"theirs\n"))
    assert desk.say("/apply --undo").startswith("Reverted in a.txt.")
    assert desk.file("a.txt").read_bytes() == text()
    assert desk.say("/apply --undo") == "There is nothing to revert: no applied change is left."


def test_conflict_that_session_has_worked_in_can_be_applied(desk) -> None:
    desk.begin()
    desk.changes({"a.txt": text(_3=b"theirs\n"), "b.txt": b"B\n"})
    desk.file("a.txt").write_bytes(text(_3=b"mine\n", _20=b"mine\n"))
    desk.say("/apply")
    (step,) = desk.turn()
    assert step.author == "host"
    assert "+mine" in step.observations[0].text
    assert "a.txt (the same lines changed on both sides)" in step.observations[0].text
    assert desk.ours("a.txt") == text(_3=b"theirs\n")
    assert desk.turn() == [], "it is told once"
    desk.changes({"a.txt": text(_3=b"both\n", _20=b"mine\n")})
    desk.say("/apply")
    assert "-mine" in desk.asked[-1].detail
    assert desk.file("a.txt").read_bytes() == text(_3=b"both\n", _20=b"mine\n")


def test_users_edits_come_in_with_next_turn_and_are_not_applied_back(desk) -> None:
    desk.begin()
    desk.changes({"a.txt": text(_3=b"three\n")})
    assert desk.turn() == []
    desk.file("a.txt").write_bytes(text(_20=b"mine\n"))
    desk.file("own.txt").write_bytes(b"own\n")
    assert applied_changes.pending_user_changes(desk) == ("a.txt", "own.txt")
    (step,) = desk.turn()
    assert step.observations[0].text.startswith(
        "[Meanwhile the user changed M a.txt, A own.txt: your workspace now has these changes.]"
    )
    assert applied_changes.pending_user_changes(desk) == ()
    assert desk.ours("a.txt") == text(_3=b"three\n", _20=b"mine\n")
    assert desk.ours("own.txt") == b"own\n"
    assert desk.say("/diff").count("\n+") == 2  # the header's and the line's
    desk.say("/apply")
    assert desk.asked[-1].subject == "a.txt"
    assert desk.file("a.txt").read_bytes() == text(_3=b"three\n", _20=b"mine\n")


def test_run_that_is_resumed_takes_same_edits_in(desk) -> None:
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.file("own.txt").write_bytes(b"own\n")
    (step,) = desk.turn()
    desk.file("own.txt").write_bytes(b"changed again\n")
    desk.reopen()
    from agent.engine.task import Task
    from agent.engine.user_change_detection import take_over_changes

    task = Task(desk.engine)
    assert [again.tree for again in take_over_changes(task)] == [step.tree] == [task.tree]
    assert applied_changes.pending_user_changes(desk) == ("own.txt",)


def test_taking_back_takes_only_what_was_applied(desk) -> None:
    desk.begin()
    desk.changes({"a.txt": text(_3=b"three\n"), "b.txt": None, "new.txt": b"n\n"})
    desk.say("/apply")
    desk.file("a.txt").write_bytes(text(_3=b"three\n", _20=b"mine\n"))
    before = desk.index(), desk.git("rev-parse", "HEAD")
    said = desk.say("/apply --undo")
    assert said == "Reverted in 3 files. The session still has the changes; /apply applies them."
    assert desk.file("a.txt").read_bytes() == text(_20=b"mine\n")
    assert desk.file("b.txt").read_bytes() == b"b\n"
    assert not desk.file("new.txt").exists()
    assert (desk.index(), desk.git("rev-parse", "HEAD")) == before
    assert desk.asked[-1].kind == "apply"
    assert desk.say("/apply --undo") == "There is nothing to revert: no applied change is left."
    desk.say("/apply")
    assert desk.file("a.txt").read_bytes() == text(_3=b"three\n", _20=b"mine\n")


def test_taking_back_goes_one_apply_at_time_and_names_what_it_leaves(desk) -> None:
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.say("/apply")
    desk.changes({"a.txt": text(_3=b"three\n")})
    desk.say("/apply")
    desk.file("a.txt").write_bytes(text(_3=b"mine\n"))
    desk.say("/apply --undo")
    assert "a.txt (the same lines" in desk.told[-2]
    assert desk.file("a.txt").read_bytes() == text(_3=b"mine\n")
    assert desk.file("b.txt").read_bytes() == b"b\n"


@pytest.mark.slow
def test_what_could_not_be_taken_back_at_all_is_still_applied(desk) -> None:
    desk.begin()
    desk.changes({"a.txt": text(_3=b"theirs\n", _10=b"theirs\n")})
    desk.say("/apply")
    desk.file("a.txt").write_bytes(text(_3=b"mine\n", _10=b"theirs\n"))
    asked = len(desk.asked)
    assert desk.say("/apply --undo").startswith("The changes applied to a.txt cannot be reverted. Left out,")
    assert len(desk.asked) == asked, "a yes could do nothing"
    desk.file("a.txt").write_bytes(text(_3=b"theirs\n", _10=b"theirs\n"))
    assert desk.say("/commit").startswith("Commit "), "it is no part of what was taken back"
    assert desk.git("status", "--short") == ""
    assert desk.say("/apply --undo").startswith("Reverted in a.txt.")
    assert desk.file("a.txt").read_bytes() == text()
    desk.changes({"b.txt": b"B\n"})
    desk.say("/apply b.txt")
    desk.file("b.txt").write_bytes(b"b\n")
    assert desk.say("/apply --undo") == "Your files no longer contain what was applied last."


def test_no_takes_nothing_back(desk) -> None:
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.answers = [Answer(True), Answer(False)]
    desk.say("/apply")
    assert desk.say("/apply --undo") == "Nothing was reverted."
    assert desk.file("b.txt").read_bytes() == b"B\n"


def test_after_undo_in_session_apply_takes_applied_back_and_spares_users_own(desk) -> None:
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.turn()
    desk.file("own.txt").write_bytes(b"own\n")
    desk.turn()
    desk.changes({"dir/c.txt": b"C\n"})
    desk.say("/apply")
    desk.step("undo", desk.engine.run.base.tree, rewind=0, turns=2)
    desk.say("/apply")
    assert desk.file("own.txt").read_bytes() == b"own\n"
    assert (desk.file("b.txt").read_bytes(), desk.file("dir/c.txt").read_bytes()) == (b"b\n", b"c\n")
    (step,) = desk.turn()
    assert "A own.txt" in step.observations[0].text


def test_staged_and_unstaged_edits_of_one_file_stay_what_they_are(desk) -> None:
    desk.file("a.txt").write_bytes(text(_10=b"staged\n"))
    desk.git("add", "a.txt")
    desk.file("a.txt").write_bytes(text(_10=b"staged\n", _20=b"unstaged\n"))
    desk.begin()
    before = desk.index()
    desk.changes({"a.txt": text(_3=b"three\n", _10=b"staged\n", _20=b"unstaged\n")})
    desk.say("/apply")
    assert desk.index() == before
    assert desk.git("show", ":a.txt").encode() + b"\n" == text(_10=b"staged\n")
    assert desk.file("a.txt").read_bytes() == text(_3=b"three\n", _10=b"staged\n", _20=b"unstaged\n")
    desk.say("/apply --undo")
    assert desk.file("a.txt").read_bytes() == text(_10=b"staged\n", _20=b"unstaged\n")


def test_line_endings_are_users(desk) -> None:
    desk.git("config", "core.autocrlf", "true")
    desk.file("a.txt").write_bytes(text().replace(b"\n", b"\r\n"))
    desk.begin()
    desk.changes({"a.txt": text(_3=b"three\n")})
    assert applied_changes.pending_user_changes(desk) == ()
    desk.say("/apply")
    assert desk.file("a.txt").read_bytes() == text(_3=b"three\n").replace(b"\n", b"\r\n")
    desk.say("/apply --undo")
    assert desk.file("a.txt").read_bytes() == text().replace(b"\n", b"\r\n")


def test_what_filters_make_of_file_is_made_again(desk) -> None:
    desk.git("config", "filter.caps.clean", "tr A-Z a-z")
    desk.git("config", "filter.caps.smudge", "tr a-z A-Z")
    desk.file(".gitattributes").write_bytes(b"b.txt filter=caps\n")
    desk.file("b.txt").write_bytes(b"B\nTWO\nTHREE\n")
    desk.git("add", "-A")
    desk.git("commit", "-qm", "filtered")
    desk.begin()
    assert desk.ours("b.txt") == b"b\ntwo\nthree\n"
    desk.changes({"b.txt": b"b\ntwo\nthree\nfour\n"})
    desk.say("/apply")
    assert desk.file("b.txt").read_bytes() == b"B\nTWO\nTHREE\nFOUR\n"


def test_modes_links_binaries_and_renames(desk) -> None:
    desk.file("run.sh").write_bytes(b"#!/bin/sh\n")
    desk.file("bin").write_bytes(b"\0\1\2")
    desk.git("add", "-A")
    desk.git("commit", "-qm", "more")
    desk.begin()
    trees = desk.engine.trees
    desk.changes({"bin": b"\0\3", "b.txt": None, "renamed.txt": b"b\n"})
    run = trees.files(desk.tree)["run.sh"].id
    target = trees.files(trees.write({"t": b"dir/c.txt"}, desk.tree))["t"].id
    listing = "".join(f"{entry.mode} {entry.id} 0\t{path}\0" for path, entry in trees.files(desk.tree).items())
    listing = listing.replace(f"100644 {run}", f"100755 {run}") + f"120000 {target} 0\tlink\0"
    desk.step("coder", trees.adopt(listing.encode(), []))
    desk.say("/apply")
    assert os.access(desk.file("run.sh"), os.X_OK)
    assert desk.file("bin").read_bytes() == b"\0\3"
    assert desk.file("link").readlink() == Path("dir/c.txt")
    assert (desk.file("b.txt").exists(), desk.file("renamed.txt").read_bytes()) == (False, b"b\n")
    desk.say("/apply --undo")
    assert (desk.git("status", "--short"), desk.file("bin").read_bytes()) == ("", b"\0\1\2")


def test_submodule_and_read_only_file_are_no_trouble(desk, make_repo) -> None:
    other = make_repo({"x": "x\n"})
    desk.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "module")
    desk.git("commit", "-qm", "a submodule")
    desk.file("b.txt").chmod(0o444)
    desk.begin()
    desk.file("module/x").write_bytes(b"dirty\n")
    desk.changes({"b.txt": b"B\n"})
    desk.say("/apply")
    assert desk.file("b.txt").read_bytes() == b"B\n"
    assert desk.file("module/x").read_bytes() == b"dirty\n"
    assert desk.asked[0].subject == "b.txt"


def test_nothing_is_written_through_link(desk, tmp_path: Path) -> None:
    desk.begin()
    desk.changes({"dir/c.txt": b"C\n", "dir/new.txt": b"n\n"})
    outside = tmp_path / "outside"
    desk.file("dir").rename(outside)
    desk.file("dir").symlink_to(outside)
    said = desk.say("/apply")
    assert "dir/c.txt" in said
    assert (outside / "c.txt").read_bytes() == b"c\n"
    assert not (outside / "new.txt").exists()


def test_file_that_changes_at_last_moment_stops_it_all(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.begin()
    desk.changes({"a.txt": text(_3=b"three\n"), "b.txt": b"B\n"})
    write = recorded_effects.write

    def late(engine, old: str, new: str) -> None:
        desk.file("b.txt").write_bytes(b"mine\n")
        write(engine, old, new)

    monkeypatch.setattr(recorded_effects, "write", late)
    with pytest.raises(UsageError, match=r"b\.txt"):
        desk.say("/apply")
    assert desk.file("a.txt").read_bytes() == text()
    monkeypatch.setattr(recorded_effects, "write", write)
    assert "b.txt" in desk.say("/apply")
    assert desk.file("a.txt").read_bytes() == text(_3=b"three\n")


CRASH = """
import os, signal, sys
from tests.agent.session.conftest import Desk
from agent.session import recorded_effects as effects
from pathlib import Path
desk = Desk(Path(sys.argv[1]), Path(sys.argv[2]))
desk.run = Path(sys.argv[3])
desk.reopen()
write = effects.write
def dies(engine, old, new):
    if sys.argv[4] == "after":
        write(engine, old, new)
    if sys.argv[4] == "half":
        os.unlink(desk.root / "b.txt")
        (desk.root / "a.txt").write_bytes(engine.trees.read(new, "a.txt"))
        (desk.root / "new.txt").write_bytes(b"hal")
    os.kill(os.getpid(), signal.SIGKILL)
effects.write = dies
desk.say("/apply")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("when", "words", "applied"),
    [
        ("before", "before it could apply", False),
        ("half", "they are applied now", True),
        ("after", "they are applied now", True),
    ],
)
def test_after_kill_it_is_looked_which_it_was(desk, when: str, words: str, applied: bool) -> None:
    desk.begin()
    desk.changes({"a.txt": text(_3=b"three\n"), "b.txt": b"B\n", "new.txt": b"half and half\n"})
    desk.close()
    house = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", CRASH, desk.root, desk.settings.state, desk.run, when]
    died = subprocess.run(command, cwd=house, capture_output=True, env=os.environ | {"PYTHONPATH": str(house)})
    assert died.returncode == -signal.SIGKILL, died.stderr
    desk.reopen()
    applied_changes.finish_interrupted_apply(desk)
    assert words in desk.told[-1]
    assert (desk.file("b.txt").read_bytes() == b"B\n") == applied
    assert desk.file("new.txt").exists() == applied
    assert not desk.file("new.txt").exists() or desk.file("new.txt").read_bytes() == b"half and half\n"
    count = len(desk.told)
    applied_changes.finish_interrupted_apply(desk)
    assert len(desk.told) == count, "it is looked at once"
    desk.say("/apply")
    assert len(desk.asked) == (0 if applied else 1)
    assert desk.file("a.txt").read_bytes() == text(_3=b"three\n")
    desk.say("/apply --undo")
    assert desk.git("status", "--short") == ""


def test_session_of_revision_takes_no_edits_over(desk) -> None:
    desk.file("b.txt").write_bytes(b"mine\n")
    desk.begin("HEAD")
    desk.engine.journal.append(Note("main", "life", "at HEAD", {"revision": "HEAD"}))
    desk.changes({"dir/c.txt": b"C\n"})
    assert desk.turn() == []
    desk.say("/apply")
    assert (desk.file("b.txt").read_bytes(), desk.file("dir/c.txt").read_bytes()) == (b"mine\n", b"C\n")


def test_what_both_have_is_read_off_records_alone(desk) -> None:
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.say("/apply")
    desk.file("a.txt").write_bytes(text(_20=b"mine\n"))
    desk.turn()
    engine = desk.engine
    both = find_merge_base(engine.trees, engine.trajectory, engine.run.base.tree)
    desk.reopen()
    engine = desk.engine
    assert find_merge_base(engine.trees, engine.trajectory, engine.run.base.tree) == both
    assert both.tree == present_tree(engine.trajectory, engine.run.base.tree)


def test_diff_of_turn_and_of_paths(desk) -> None:
    desk.begin()
    assert desk.say("/diff") == "Not applied yet: no changes."
    desk.changes({"b.txt": b"B\n"})
    desk.turn()
    desk.changes({"dir/c.txt": b"C\n"})
    assert desk.say("/diff").count("diff --git") == 2
    assert desk.titles[-1] == "Not applied yet: 2 files, +2 -2"
    assert "dir/c.txt" not in desk.say("/diff turn 1")
    assert "b.txt" not in desk.say("/diff turn 2")
    assert "b.txt" not in desk.say("/diff dir")
    for words in ("turn", "turn 3", "turn x", "'"):
        with pytest.raises(UsageError):
            desk.say(f"/diff {words}")
