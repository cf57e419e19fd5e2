"""Work in place: changes are written to the user's files after each step, and the user's own edits are kept."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agent.config.hook_table import HookTable
from agent.permissions.approvals import Answer
from extensions.interactive.session import session_events
from extensions.interactive.session.applied_changes import common_tree, deliverable_tree
from extensions.interactive.session.line_interface import Lines
from tests.conftest import git
from tests.extensions.interactive.session.scripted_session import calls, says

pytestmark = pytest.mark.slow
FILES = {"calc.py": "def add(a, b):\n    return a + b\n", "notes.txt": "one\ntwo\nthree\nfour\nfive\n"}


def change(path, old, new):
    return calls("edit", path=path, old=old, new=new)


FIRST = says("I change it.", change("calc.py", "a + b", "b + a"), n=1)
SECOND = says("And this.", change("notes.txt", "one", "ONE"), n=2)
SCRIPT = [FIRST, SECOND, says("Done.")]


@pytest.fixture
def root(make_repo):
    return make_repo(FILES)


@pytest.fixture
def in_place(talk, root):
    def open_session(script=SCRIPT, **settings):
        return talk(script, root=root, settings={"in_place": True, "max_steps": 20, **settings})

    return open_session


def text(root, path="calc.py"):
    return (root / path).read_text()


def approvals(talk):
    asked = (event.approval for event in talk.all(session_events.QuestionAsked))
    return [approval for approval in asked if approval.kind == "apply"]


def changed_in_session(talk):
    engine = talk.session.engine
    return [change.path for change in engine.trees.changed(engine.run.base.tree, deliverable_tree(engine))]


def when_step(talk, number, do):
    """Call `do` before the step with this number is written."""
    hear = talk.session.hear

    def heard(event):
        hear(event)
        if isinstance(event, session_events.StepRecorded) and event.step.reply == number:
            do()

    talk.session.hear = heard


def test_each_step_is_written_at_once(in_place, root):
    talk = in_place()
    seen = []
    when_step(talk, 2, lambda: seen.append((text(root), text(root, "notes.txt")[:3])))
    talk.say("Change it")
    assert seen == [("def add(a, b):\n    return b + a\n", "one")]
    assert text(root, "notes.txt").startswith("ONE")
    assert "Written to 2 files." in talk.messages
    assert git(root, "diff", "--cached") == ""


def test_undo_and_redo_change_the_users_files(in_place, root):
    talk = in_place().say("Change it").say("/undo")
    assert git(root, "status", "--porcelain") == ""
    talk.say("/redo")
    assert "b + a" in text(root)


def test_rewind_keeps_own_edit_that_was_merged(in_place, root):
    talk = in_place([FIRST, SECOND, says("Done."), says("Nothing to do.", n=3)])
    own = text(root, "notes.txt").replace("five", "FIVE")
    when_step(talk, 1, lambda: (root / "notes.txt").write_text(own))
    talk.say("Change it").say("And now?").say("/rewind 1 files")
    assert text(root, "notes.txt") == own
    assert "a + b" in text(root)


def test_files_change_only_on_apply_by_default(talk, root):
    talk(SCRIPT, root=root).say("Change it")
    assert git(root, "status", "--porcelain") == ""


def test_command_switches_it_on_and_off(talk, root):
    talk = talk(SCRIPT, root=root).say("Change it").say("/in-place on")
    assert "b + a" in text(root)
    talk.say("/in-place off").say("/undo")
    assert "b + a" in text(root)
    assert (
        talk.say("/in-place maybe").messages[-1] == "/in-place cannot be 'maybe'. Write /in-place on, or /in-place off."
    )


def test_own_edit_of_other_lines_is_merged(in_place, root):
    talk = in_place()
    own = text(root, "notes.txt").replace("five", "FIVE")
    when_step(talk, 1, lambda: (root / "notes.txt").write_text(own))
    talk.say("Change it")
    assert text(root, "notes.txt") == "ONE\ntwo\nthree\nfour\nFIVE\n"


def test_own_edit_of_the_same_line_is_kept(in_place, root):
    talk = in_place()
    when_step(talk, 1, lambda: (root / "notes.txt").write_text("mine\ntwo\nthree\nfour\nfive\n"))
    talk.say("Change it")
    assert text(root, "notes.txt").startswith("mine\n")
    assert "b + a" in text(root)
    assert any(
        one.startswith("Kept back, since you have changes of your own there: notes.txt") for one in talk.messages
    )


@pytest.mark.parametrize("writes", [True, False])
def test_contested_file_is_written_only_after_a_yes(in_place, root, writes):
    more = says("More.", change("notes.txt", "five", "FIVE"), n=4)
    talk = in_place([FIRST, SECOND, says("Done.", n=3), more, says("Done.")])
    when_step(talk, 1, lambda: (root / "notes.txt").write_text("mine\ntwo\nthree\nfour\nfive\n"))
    talk.say("Change it")
    talk.answers = Answer(writes)
    talk.say("And the last line")
    [asked] = approvals(talk)
    assert "notes.txt (you changed the same lines)" in asked.title
    assert "-mine" in asked.detail
    assert text(root, "notes.txt").startswith("ONE" if writes else "mine")


def test_switched_branch_gets_nothing(in_place, root):
    git(root, "branch", "other")
    talk = in_place()
    when_step(talk, 1, lambda: git(root, "stash", "-q") or git(root, "checkout", "-q", "other"))
    talk.say("Change it")
    assert git(root, "status", "--porcelain") == ""
    assert any("You left main for other, so changes are kept back." in one for one in talk.messages)


def test_switched_branch_gets_nothing_until_the_user_says_so(in_place, root):
    git(root, "branch", "other")
    talk = in_place(
        [FIRST, SECOND, says("Done.", n=3), says("More.", change("notes.txt", "two", "TWO"), n=4), says("D")]
    )
    when_step(talk, 1, lambda: git(root, "stash", "-q") or git(root, "checkout", "-q", "other"))
    talk.say("Change it").say("And more")
    assert git(root, "status", "--porcelain") == ""
    talk.say("/in-place on")
    assert text(root, "notes.txt").startswith("ONE\nTWO")


def test_commit_without_branch_is_a_place_of_its_own(in_place, root):
    git(root, "commit", "-qm", "Two", "--allow-empty")
    git(root, "checkout", "-q", "--detach")
    talk = in_place()
    when_step(talk, 1, lambda: git(root, "stash", "-q") or git(root, "checkout", "-q", "HEAD~1"))
    talk.say("Change it")
    assert git(root, "status", "--porcelain") == ""


@pytest.mark.parametrize("command", ["/fork", "/resume {run}"])
def test_off_holds_in_fork_and_resumed_run(in_place, root, command):
    talk = in_place().say("/in-place off").say("Change it")
    name = talk.session.engine.run.id
    if "resume" in command:
        talk.say("/new")
    talk.say(command.format(run=name))
    assert git(root, "status", "--porcelain") == ""
    assert not talk.session.settings.in_place


def test_hook_for_patches_prevents_writing(in_place, root):
    hooks = HookTable.model_validate({"patch": [{"command": ["/bin/false"]}]})
    talk = in_place(hooks=hooks).say("Change it")
    assert git(root, "status", "--porcelain") == ""
    assert any("because a hook checks each patch" in one for one in talk.messages)


def test_changes_left_out_at_the_end_are_left_out_of_the_files(in_place, root):
    (root / "test_calc.py").write_text("from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "Test")
    edit = says("I change the test.", change("test_calc.py", "== 3", "== 4"), n=1)
    talk = in_place([edit, says("Done.")], update_tests=False).say("Change it")
    assert common_tree(talk.session.engine) == deliverable_tree(talk.session.engine)
    assert git(root, "diff", "--name-only").split() == changed_in_session(talk)


def test_file_that_starts_programs_needs_a_yes(in_place, root):
    script = [says("A hook.", calls("edit", path=".envrc", old="", new="echo hi\n"), n=1), SECOND, says("Done.")]
    talk = in_place(script)
    talk.answers = Answer(False)
    talk.say("Change it")
    assert [one.subject for one in approvals(talk)] == [".envrc"]
    assert "Not written: .envrc. You said no. /apply asks again." in talk.messages


def test_reason_of_a_no_is_shown_as_it_is(in_place, root):
    talk = in_place([says("A hook.", calls("edit", path=".envrc", old="", new="echo hi\n"), n=1), says("Done.")])
    talk.answers = Answer(False, reason="Not {this}.")
    assert "Not written: .envrc. Not {this}. /apply asks again." in talk.say("Change it").messages
    assert not (root / ".envrc").exists()


def test_model_reads_what_was_declined(in_place, root):
    talk = in_place([says("A hook.", calls("edit", path=".envrc", old="", new="echo hi\n"), n=1), says("Done.", n=2)])
    talk.answers = Answer(False)
    talk.say("Change it")
    notes = [note.text for note in talk.session.engine.trajectory.notes if note.kind == "message"]
    assert notes == ["[Not written to the user's files, because the user declined: .envrc]"]


def test_model_reads_that_another_branch_is_checked_out(in_place, root):
    talk = in_place([FIRST, SECOND, says("Done.", n=3)])
    when_step(talk, 1, lambda: git(root, "switch", "-qc", "other"))
    talk.say("Change it")
    notes = [note.text for note in talk.session.engine.trajectory.notes if note.kind == "message"]
    assert notes == ["[Not written to the user's files, because the user left main for other: calc.py]"]
    assert talk.session.status.kept_back == ("calc.py", "notes.txt")


def test_commit_leaves_out_a_line_that_the_user_wrote_over(in_place, root):
    again = says("Mine.", change("calc.py", "b + a", "b - a"), n=3)
    theirs = says("Yours, then.", change("calc.py", "b - a", "a * b"), n=5)
    talk = in_place([FIRST, SECOND, again, says("Done.", n=4), theirs, says("Done.")])
    when_step(talk, 2, lambda: (root / "calc.py").write_text(text(root).replace("b + a", "a * b")))
    talk.say("Change it").say("Keep mine")
    assert "a * b" in text(root)
    git(root, "config", "user.name", "Ada")
    git(root, "config", "user.email", "ada@example.org")
    talk.say("/commit Changes")
    assert git(root, "show", "--name-only", "--format=%s").split() == ["Changes", "notes.txt"]
    assert any("Left out: calc.py" in one for one in talk.messages)


def test_print_shows_the_diff_of_what_was_not_written(in_place, root, capsys):
    start = in_place(hooks=HookTable.model_validate({"patch": [{"command": ["/bin/false"]}]})).session.start
    Lines(replace(start, request="Change it"), is_single=True).run(())
    assert "a + b" in text(root)
    assert "+    return b + a" in capsys.readouterr().out


def test_branch_without_commit_does_not_end_the_turn(in_place, root):
    talk = in_place()
    when_step(talk, 1, lambda: git(root, "switch", "-q", "--orphan", "empty"))
    talk.say("Change it")
    assert talk.replies[-1].startswith("Done.")


def test_undo_of_an_allowed_file_does_not_ask_again(in_place, root):
    talk = in_place([says("A hook.", calls("edit", path=".envrc", old="", new="echo hi\n"), n=1), says("Done.")])
    talk.say("Change it").say("/undo")
    assert not (root / ".envrc").exists()
    talk.say("/redo")
    assert (text(root, ".envrc"), len(approvals(talk))) == ("echo hi\n", 1)


def test_diff_and_status_show_what_is_not_committed(in_place, root):
    talk = in_place([FIRST, SECOND, says("Done.")]).say("Change it")
    assert [file.path for file in talk.session.status.files] == ["calc.py", "notes.txt"]
    assert talk.say("/diff").all(session_events.MessageEvent)[-1].title == "Not committed yet: 2 files, +2 -2"
    git(root, "commit", "-qam", "Mine")
    assert talk.say("/diff").messages[-1] == "Not committed yet: no changes."


def test_prompts_are_counted_as_by_rewind(in_place):
    talk = in_place([FIRST, says("Done.", n=2), SECOND | {"n": 3}, says("Done.")])
    talk.say("Change it").say("!true").say("And the notes").say("/diff turn 2")
    assert talk.all(session_events.MessageEvent)[-1].title == "Turn 2: 1 file, +1 -1"
    assert talk.say("/diff turn 3").messages[-1] == "There is no turn 3. Name one from 1 to 2."


def test_print_shows_no_diff_of_what_was_written(in_place, root, capsys):
    start = in_place().session.start
    Lines(replace(start, request="Change it"), is_single=True).run(())
    assert "b + a" in text(root)
    assert capsys.readouterr().out.startswith("Done.")


def test_file_that_cannot_be_written_is_not_asked_about(in_place, root):
    (root / ".gitignore").write_text(".envrc\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "Ignore")
    (root / ".envrc").write_text("mine\n")
    talk = in_place(
        [says("A hook.", calls("edit", path=".envrc", old="", new="echo hi\n"), n=1), SECOND, says("Done.")]
    )
    talk.say("Change it")
    assert not approvals(talk)
    assert text(root, ".envrc") == "mine\n"


def test_full_disk_loses_nothing(in_place, root, monkeypatch):
    talk = in_place()
    (root / "own.txt").write_text("mine\n")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("extensions.interactive.session.recorded_effects.write", full)
        talk.say("Change it")
    assert text(root) == FILES["calc.py"]
    assert any("No space left on device" in one for one in talk.messages)
    talk.say("/in-place on")
    assert ("b + a" in text(root), text(root, "own.txt")) == (True, "mine\n")


PROGRAM = """
import sys, json
from pathlib import Path
from tests.extensions.interactive.session.scripted_session import RecordedSession
root, state, script = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
run = Path(sys.argv[4]) if len(sys.argv) > 4 else None
talk = RecordedSession(root, state, script, run=run, settings={"in_place": True})
talk.session.open()
talk.wait_until_idle()
print("open", flush=True)
if run is None:
    talk.say("Change it")
talk.session.close()
"""


@pytest.mark.parametrize("seed", range(20))
def test_killed_session_loses_nothing(root, tmp_path, seed):
    """The session dies at a random moment. Every file is the old or the new one, or the person's, and a resumed
    session writes what is missing."""
    state = tmp_path / "state" / "swe"
    edits = [
        says("More.", calls("edit", path=f"new{number}.txt", old="", new=f"{number}\n" * 2_000), n=number + 1)
        for number in range(8)
    ]
    command = [sys.executable, "-c", PROGRAM, str(root), str(state), json.dumps([*edits, says("Done.")])]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    (root / "own.txt").write_text("mine\n")
    time.sleep(random.Random(seed).uniform(0.0, 1.5))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    runs = sorted((state / "runs").glob("*/journal.jsonl"))
    if runs:
        subprocess.run([*command, str(runs[-1].parent)], env=environment, check=True, stdout=subprocess.DEVNULL)
    assert text(root, "own.txt") == "mine\n"
    assert text(root) == FILES["calc.py"]
    for path in root.glob("new*.txt"):
        number = path.stem.removeprefix("new")
        assert path.read_text() == f"{number}\n" * 2_000
    if runs:
        steps = [
            json.loads(line) for line in runs[-1].read_text().splitlines() if '"type":"step"' in line.replace(" ", "")
        ]
        done = sum(1 for step in steps if step.get("reply"))
        assert len(list(root.glob("new*.txt"))) >= min(done, 8) - 1


def test_base_and_in_place_exclude_each_other(root):
    words = [
        sys.executable,
        "-m",
        "swe_agent",
        "session",
        "--repo",
        str(root),
        "--in-place",
        "--base",
        "HEAD",
        "-p",
        "x",
    ]
    ended = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
    assert ended.returncode == 2
    assert "--in-place and --base were both given." in " ".join(ended.stderr.split())
