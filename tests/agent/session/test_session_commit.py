"""A session's changes as a commit of the user's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from aci.repository import commit as with_git
from aci.repository.process_owner import is_running, owner_mark
from aci.repository.user_repository import Repository
from agent.permissions.approvals import Answer
from agent.permissions.decisions import judge
from agent.permissions.rule_store import StoredRule
from agent.permissions.rules import Rule
from agent.session import session_commit
from agent.session.commit_message import LONGEST, shorten_subject
from agent.session.session import Session, Start
from agent.session.session_events import MessageEvent
from agent.session.startup_checks import run_startup_checks
from trajectories.errors import TryLater, UsageError
from trajectories.records import Note

DRIVER = """
import sys
from pathlib import Path
from aci.repository.commit import commit
from aci.repository.user_repository import Repository
from trajectories.records import Base
from trajectories.trees import Trees

root, store, head, old, new = sys.argv[1:]
with Trees(Path(store)) as trees:
    commit(Repository.open(root), trees, Base(head, old), new, "Made", True, "main")
"""
TEXT = b"".join(b"line %d\n" % n for n in range(30))


def test_commit_holds_sessions_changes_and_nothing_else(desk) -> None:
    desk.file("b.txt").write_bytes(b"mine\n")
    desk.git("add", "b.txt")
    desk.begin()
    desk.changes({"a.txt": TEXT.replace(b"line 3\n", b"three\n"), "new.txt": b"n\n", "dir/c.txt": None})
    desk.file("a.txt").write_bytes(TEXT.replace(b"line 20\n", b"mine\n"))
    said = desk.say("/commit")
    assert said.startswith(f"Commit {desk.git('rev-parse', 'HEAD')[:10]} on main: “Work")
    assert [question.kind for question in desk.asked] == ["apply", "commit"]
    assert "Commit 3 files on main as Ada <ada@example.org>?" in desk.asked[1].title
    assert desk.asked[1].subject.split("\n") == ["a.txt", "dir/c.txt", "new.txt"]
    assert desk.git("show", "--format=%an <%ae>%n%B", "--name-status", "HEAD").split("\n") == [
        "Ada <ada@example.org>",
        "Work",
        "",
        "",
        "M\ta.txt",
        "D\tdir/c.txt",
        "A\tnew.txt",
    ]
    assert desk.git("status", "--short").split("\n") == ["M  b.txt", " M a.txt"] or desk.git("status", "--short").split(
        "\n"
    ) == ["M a.txt", "M  b.txt"]
    assert "+mine" in desk.git("diff", "a.txt")
    assert "three" not in desk.git("diff", "a.txt")
    assert desk.say("/commit") == "There is nothing to commit: your last commit has all applied changes."


def test_staged_edits_of_committed_file_stay_staged_and_no_more(desk) -> None:
    desk.file("a.txt").write_bytes(TEXT.replace(b"line 10\n", b"staged\n"))
    desk.git("add", "a.txt")
    desk.file("a.txt").write_bytes(TEXT.replace(b"line 10\n", b"staged\n").replace(b"line 20\n", b"unstaged\n"))
    desk.begin()
    desk.changes({"a.txt": desk.ours("a.txt").replace(b"line 3\n", b"three\n")})
    desk.say("/commit My own words")
    assert desk.git("log", "-1", "--format=%s") == "My own words"
    assert desk.git("diff", "--unified=0", "HEAD^", "HEAD").count("\n+") == 2
    staged, unstaged = desk.git("diff", "--cached", "-U0"), desk.git("diff", "-U0")
    assert ("+staged" in staged, "three" in staged, "unstaged" in staged) == (True, False, False)
    assert ("+unstaged" in unstaged, "three" in unstaged) == (True, False)


def test_what_stands_in_users_own_uncommitted_lines_is_left_out(desk) -> None:
    desk.file("a.txt").write_bytes(TEXT.replace(b"line 3\n", b"mine\n"))
    desk.file("own.txt").write_bytes(b"own\n")
    desk.begin()
    desk.changes({"a.txt": TEXT.replace(b"line 3\n", b"both\n"), "own.txt": b"owned\n", "b.txt": b"B\n"})
    said = desk.say("/commit")
    assert "Left out: a.txt, own.txt, because your own uncommitted edits" in said
    assert desk.git("show", "--name-only", "--format=", "HEAD") == "b.txt"


def test_no_means_no(desk) -> None:
    desk.begin()
    head = desk.git("rev-parse", "HEAD")
    desk.changes({"b.txt": b"B\n"})
    desk.answers = [Answer(False), Answer(True), Answer(False)]
    assert desk.say("/commit") == "Nothing was applied."
    assert desk.say("/commit") == "Nothing was committed."
    assert desk.git("rev-parse", "HEAD") == head
    desk.say("/commit")
    assert [question.kind for question in desk.asked] == ["apply", "apply", "commit", "commit"]
    assert desk.git("status", "--short") == ""


def hook(desk, name: str, script: str, folder: str = ".git/hooks") -> None:
    file = desk.file(f"{folder}/{name}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_hooks_run_only_where_user_says_so(desk) -> None:
    hook(desk, "pre-commit", "echo ran >> hooked.txt; echo more >> b.txt; git add b.txt")
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.answers = [Answer(True), Answer(True), Answer(False)]
    desk.say("/commit")
    assert not desk.file("hooked.txt").exists()
    assert desk.asked[2].title == "Run the repository's hooks too (pre-commit)?"
    desk.changes({"b.txt": b"C\n"})
    desk.say("/commit")
    assert desk.file("hooked.txt").exists()
    assert desk.git("show", "HEAD:b.txt") == "C\nmore"
    assert desk.git("status", "--short") == "?? hooked.txt"


def test_no_rule_answers_for_hooks(desk) -> None:
    hook(desk, "pre-commit", "true")
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.say("/commit")
    commit, hooks = desk.asked[-2:]
    kept = [StoredRule(Rule(kind, "**"), "project") for kind in ("commit", "hooks")]
    assert judge(commit, [], kept).yes
    decision = judge(hooks, [], kept)
    assert (decision.yes, decision.always) == (None, ())
    assert judge(hooks, [Rule("hooks", "**")], kept).yes is False


def test_hooks_that_session_changed_are_named(desk) -> None:
    desk.git("config", "core.hooksPath", ".githooks")
    desk.begin()
    desk.changes({".githooks/pre-commit": b"#!/bin/sh\ntrue\n", "b.txt": b"B\n"})
    desk.say("/apply")
    desk.file(".githooks/pre-commit").chmod(0o755)
    desk.say("/commit")
    title = "Run the repository's hooks too (pre-commit), of which this session changed .githooks/pre-commit?"
    assert desk.asked[-1].title == title


@pytest.mark.parametrize(
    ("folder", "path"),
    [
        (".husky/_", ".husky/pre-commit"),
        ("web/hooks/_", "web/hooks/lib/run.sh"),
        ("tools/hooks", "tools/hooks/lib/run.sh"),
        (".git/hooks", ".pre-commit-config.yaml"),
        (".git/hooks", "web/.husky/pre-push"),
        ("_", "pre-commit"),
    ],
)
def test_what_hook_of_known_layout_runs_is_named(desk, folder: str, path: str) -> None:
    desk.git("config", "core.hooksPath", folder)
    hook(desk, "pre-commit", "true", folder)
    desk.begin()
    desk.changes({path: b"true\n"})
    desk.say("/commit")
    assert desk.asked[-1].title == f"Run the repository's hooks too (pre-commit), of which this session changed {path}?"


@pytest.mark.parametrize("path", ["tools/hooks/lib.sh", "bin/lib.sh"])
def test_hook_that_is_link_counts_in_both_folders(desk, path: str) -> None:
    desk.git("config", "core.hooksPath", "tools/hooks")
    hook(desk, "run", "true", "bin")
    hook(desk, "other", "true", "tools/hooks")
    desk.file("tools/hooks/pre-commit").symlink_to("../../bin/run")
    desk.begin()
    desk.changes({path: b"true\n"})
    desk.say("/commit")
    assert desk.asked[-1].title == f"Run the repository's hooks too (pre-commit), of which this session changed {path}?"


@pytest.mark.parametrize("folder", [".husky/_", "tools/hooks"])
def test_other_changes_are_not_named_as_hooks(desk, folder: str) -> None:
    desk.git("config", "core.hooksPath", folder)
    hook(desk, "pre-commit", "true", folder)
    desk.begin()
    desk.changes({"b.txt": b"B\n", "tools/hooks.py": b"\n", "husky/x": b"\n"})
    desk.say("/commit")
    assert desk.asked[-1].title == "Run the repository's hooks too (pre-commit)?"


def test_hook_that_refuses_leaves_all_as_it_was(desk) -> None:
    hook(desk, "commit-msg", "echo 'no ticket' >&2; exit 1")
    desk.begin()
    head, index = desk.git("rev-parse", "HEAD"), desk.index()
    desk.changes({"b.txt": b"B\n"})
    with pytest.raises(UsageError, match="no ticket"):
        desk.say("/commit")
    assert (desk.git("rev-parse", "HEAD"), desk.index()) == (head, index)
    assert not desk.file(".git/index.lock").exists()
    desk.answers = [Answer(True), Answer(False)]
    assert desk.say("/commit").startswith("Commit ")


def test_what_was_applied_and_taken_back_is_in_no_commit(desk) -> None:
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.say("/apply")
    desk.say("/apply --undo")
    desk.step("coder", desk.engine.run.base.tree)
    assert "nothing to commit" in desk.say("/commit")


def test_branch_takes_it_all_and_touches_nothing(desk) -> None:
    desk.file("a.txt").write_bytes(TEXT.replace(b"line 20\n", b"mine\n"))
    desk.begin()
    before = desk.index(), desk.git("rev-parse", "HEAD"), desk.git("status", "--short")
    desk.changes({"a.txt": desk.ours("a.txt").replace(b"line 3\n", b"three\n"), "new.txt": b"n\n"})
    said = desk.say("/commit --branch fix/it The message")
    assert said.startswith("Branch fix/it is at ")
    assert desk.asked[0].kind == "branch"
    assert (desk.index(), desk.git("rev-parse", "HEAD"), desk.git("status", "--short")) == before
    assert desk.git("log", "-1", "--format=%s", "fix/it") == "The message"
    assert "mine" not in desk.git("show", "fix/it:a.txt")
    assert "three" in desk.git("show", "fix/it:a.txt")
    with pytest.raises(UsageError, match="exists already"):
        desk.say("/commit --branch fix/it")
    with pytest.raises(UsageError, match="needs a name"):
        desk.say("/commit --branch")


def test_where_no_commit_can_be_made_it_is_said_before_anything_is_applied(desk) -> None:
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.file(".git/MERGE_HEAD").write_text(desk.git("rev-parse", "HEAD"))
    with pytest.raises(UsageError, match="under way"):
        desk.say("/commit")
    desk.file(".git/MERGE_HEAD").unlink()
    desk.git("checkout", "-q", "--detach")
    with pytest.raises(UsageError, match="has no branch checked out"):
        desk.say("/commit")
    desk.git("checkout", "-q", "main")
    desk.git("config", "user.name", "")
    with pytest.raises(UsageError, match="who you are"):
        desk.say("/commit")
    desk.git("config", "--unset", "user.name")
    desk.file(".git/index.lock").write_text("")
    with pytest.raises(TryLater, match="git is running"):
        desk.say("/commit")
    assert desk.git("log", "--format=%s") == "The first commit"


@pytest.mark.parametrize("then", [True, False], ids=["gone-on", "as-it-was"])
@pytest.mark.parametrize("made", [True, False], ids=["made", "not-made"])
def test_commit_that_dying_process_made_is_found(desk, made: bool, then: bool) -> None:
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.say("/apply")
    index = desk.file(".git/index").read_bytes()
    own = session_commit._own_changes(desk.engine, session_commit._uncommitted(desk.engine))
    data = session_commit._data(desk.engine, own, "commit", "main", "Made")
    if made:
        with_git.commit(desk.engine.repository, desk.engine.trees, own.head, own.tree, "Made", False, "main")
        if not then:
            desk.file(".git/index").write_bytes(index)
    if then:
        (desk.root / "own.txt").write_text("own\n")
        desk.git("add", "own.txt")
        desk.git("commit", "-qm", "The user's own")
    desk.file(".git/index.lock").write_text(f"{with_git.OURS}{owner_mark(os.getpid()).rpartition(':')[0]}:1\n")
    desk.engine.journal.append(Note("main", "intent", "commit 1", data))
    desk.reopen()
    session_commit.check_interrupted_commit(desk)
    assert ("the commit was made" in desk.told[-1]) == made, desk.told
    assert not desk.file(".git/index.lock").exists()
    if made:
        assert desk.git("status", "--short") == ""
        assert "nothing to commit" in desk.say("/commit")


def test_commit_that_git_is_still_at_is_waited_for(desk) -> None:
    hook(desk, "pre-commit", "while [ ! -e go ]; do sleep 0.05; done")
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.say("/apply")
    own = session_commit._own_changes(desk.engine, session_commit._uncommitted(desk.engine))
    desk.engine.journal.append(
        Note("main", "intent", "commit 1", session_commit._data(desk.engine, own, "commit", "main", "Made"))
    )
    told = [desk.root, desk.run / "trees.git", own.head.commit, own.head.tree, own.tree]
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, *map(str, told)])
    lock = desk.file(".git/index.lock")

    def of_git() -> bool:
        """Whether the lock names a process that lives and is not the driver."""
        names = owners(lock) if lock.exists() else []
        return len(names) == 2 and is_running(names[1])

    wait_for(of_git)
    driver.kill()
    driver.wait()
    desk.reopen()
    session_commit.check_interrupted_commit(desk)
    assert "still under way" in desk.told[-1]
    desk.file("go").touch()
    wait_for(lambda: not of_git())
    desk.file("go").unlink()
    session_commit.check_interrupted_commit(desk)
    assert "the commit was made" in desk.told[-1]
    assert desk.git("status", "--short") == ""


@pytest.mark.parametrize("name", ["pre-commit", "post-commit"])
def test_another_session_finishes_commit_whose_session_was_killed(desk, name: str) -> None:
    hook(desk, name, "touch begun; while [ ! -e go ]; do sleep 0.05; done")
    desk.file("dir/c.txt").write_bytes(b"staged\n")
    desk.git("add", "dir/c.txt")
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.say("/apply")
    own = session_commit._own_changes(desk.engine, session_commit._uncommitted(desk.engine))
    told = [desk.root, desk.run / "trees.git", own.head.commit, own.head.tree, own.tree]
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, *map(str, told)])
    wait_for(desk.file("begun").exists)
    lock = desk.file(".git/index.lock")
    wait_for(lambda: len(owners(lock)) == 2)  # the driver's name and git's
    driver.kill()
    driver.wait()
    start = Start(Repository.open(desk.root), desk.settings)
    heard: list[object] = []
    run_startup_checks(Session(start, heard.append)).join()
    assert any("still under way" in event.text for event in heard if isinstance(event, MessageEvent))
    desk.file("go").touch()
    wait_for(lambda: not any(map(is_running, owners(lock))))
    run_startup_checks(Session(start, heard.append)).join()
    made = desk.git("rev-parse", "HEAD")
    assert any(f"Commit {made[:10]} was completed." in event.text for event in heard if isinstance(event, MessageEvent))
    desk.file("go").unlink()
    desk.file("begun").unlink()
    assert desk.git("status", "--short") == "M  dir/c.txt", "the commit is not staged to be reverted"
    assert not lock.exists()
    assert not [path for path in desk.file(".git").glob("swe-agent-*") if path.is_dir()]


def owners(lock: Path) -> list[str]:
    """The processes that a lock of ours names."""
    return lock.read_text().removeprefix(with_git.OURS).partition("\n")[0].split()


def test_process_that_ended_and_was_not_asked_for_lives_no_more() -> None:
    process = subprocess.Popen(["true"])
    name = owner_mark(process.pid)
    wait_for(lambda: not is_running(name))
    assert process.wait() == 0


def test_what_hook_leaves_running_is_not_waited_for(desk) -> None:
    hook(desk, "post-commit", "sleep 600 & echo $! > left; echo said >&2")
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    try:
        assert desk.say("/commit").startswith("Commit ")
        os.kill(int(desk.file("left").read_text()), 0)
    finally:
        os.kill(int(desk.file("left").read_text()), signal.SIGKILL)


@pytest.mark.slow
def test_esc_ends_hooks_and_nothing_is_committed(desk) -> None:
    hook(desk, "pre-commit", "touch begun; sleep 600")
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.say("/apply")
    Thread(target=lambda: (wait_for(desk.file("begun").exists), desk.stopped.set())).start()
    assert desk.say("/commit") == "Interrupted: nothing was committed. Changes that hooks made to your files stay."
    assert desk.git("log", "--format=%s") == "The first commit"
    assert desk.git("status", "--short") == "M b.txt\n?? begun"
    assert not desk.file(".git/index.lock").exists()


def test_esc_ends_hooks_that_go_on_after_request_to_end(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(with_git, "GRACE", 0.3)
    hook(desk, "pre-commit", "trap '' TERM; echo $$ > id; mv id begun; sleep 60; echo late >> b.txt")
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.say("/apply")
    names = []

    def interrupt() -> None:
        wait_for(desk.file("begun").exists)
        names.append(owner_mark(int(desk.file("begun").read_text())))
        desk.stopped.set()

    Thread(target=interrupt).start()
    assert "nothing was committed" in desk.say("/commit")
    wait_for(lambda: not is_running(names[0]))
    assert desk.file("b.txt").read_bytes() == b"B\n"


def wait_for(it: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not it():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_messages_follow_repository_and_fit() -> None:
    long = "Make the parser of dates take what people write in their letters, and more of the kind"
    assert len(shorten_subject(long)) <= LONGEST
    assert shorten_subject(long).endswith("more…") or shorten_subject(long).endswith("…")


def test_message_lists_what_was_asked_for_since_last_commit(desk) -> None:
    for n in range(3):
        desk.git("commit", "--allow-empty", "-qm", f"add thing {n}.")
    desk.begin()
    desk.changes({"b.txt": b"B\n"})
    desk.say("/commit")
    assert desk.git("log", "-1", "--format=%s") == "work."
    for request, before in (("Rename it", "unproven"), ("Why so?", "unproven"), ("Test it", "answered")):
        desk.turn(before)
        turn = desk.engine.trajectory.turns[-1]
        object.__setattr__(turn, "request", request)
        object.__setattr__(turn, "models", {"coder": "m"})
    desk.changes({"b.txt": b"C\n"})
    desk.say("/commit")
    assert desk.git("log", "-1", "--format=%B") == "rename it.\n\n- Rename it\n- Test it"
