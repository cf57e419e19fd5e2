"""`/commit`: a session's changes as a commit by the user."""

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

from aci.repository.process_owner import is_running, owner_mark
from aci.repository.user_repository import Repository
from agent.permissions.approvals import Answer
from agent.permissions.decisions import judge
from agent.permissions.rule_store import StoredRule
from agent.permissions.rules import Rule
from extensions.interactive.session import session_commit
from extensions.interactive.session import user_commit as commit_module
from extensions.interactive.session.commit_message import LONGEST, shorten_subject
from extensions.interactive.session.session_events import MessageEvent
from extensions.interactive.session.session_start import Start
from extensions.interactive.session.session_state import SessionSnapshot
from extensions.interactive.session.startup_checks import run_startup_checks
from trajectories.errors import TryLater, UsageError
from trajectories.records import Note

DRIVER = """
import sys
from pathlib import Path
from extensions.interactive.session.user_commit import commit
from aci.repository.user_repository import Repository
from trajectories.records import Base
from trajectories.git_store.trees import Trees

root, store, head, old, new = sys.argv[1:]
with Trees(Path(store)) as trees:
    commit(Repository.open(root), trees, Base(head, old), new, "Made", True, "main")
"""
TEXT = b"".join(b"line %d\n" % n for n in range(30))


@pytest.mark.slow
def test_commit_has_only_changes_of_session(session) -> None:
    session.file("b.txt").write_bytes(b"mine\n")
    session.git("add", "b.txt")
    session.begin()
    session.change_files({"a.txt": TEXT.replace(b"line 3\n", b"three\n"), "new.txt": b"n\n", "dir/c.txt": None})
    session.file("a.txt").write_bytes(TEXT.replace(b"line 20\n", b"mine\n"))
    message = session.say("/commit")
    assert message.startswith(f"Commit {session.git('rev-parse', 'HEAD')[:10]} on main: “Work")
    assert [question.kind for question in session.questions] == ["apply", "commit"]
    assert "Commit 3 files on main as Ada <ada@example.org>?" in session.questions[1].title
    assert session.questions[1].subject.split("\n") == ["a.txt", "dir/c.txt", "new.txt"]
    assert session.git("show", "--format=%an <%ae>%n%B", "--name-status", "HEAD").split("\n") == [
        "Ada <ada@example.org>",
        "Work",
        "",
        "",
        "M\ta.txt",
        "D\tdir/c.txt",
        "A\tnew.txt",
    ]
    assert session.git("status", "--short").split("\n") == ["M  b.txt", " M a.txt"] or session.git(
        "status", "--short"
    ).split("\n") == ["M a.txt", "M  b.txt"]
    assert "+mine" in session.git("diff", "a.txt")
    assert "three" not in session.git("diff", "a.txt")
    assert session.say("/commit") == "There is nothing to commit: your last commit has all applied changes."


def test_status_shows_the_commit_of_the_session(session) -> None:
    session.file("b.txt").write_bytes(b"mine\n")
    session.begin()
    snapshot = SessionSnapshot(session, Repository.open(session.root))
    snapshot.refresh()
    assert snapshot._base(session.engine) == "HEAD + 1 change"
    base = session.git("rev-parse", "--short=7", "HEAD")
    session.change_files({"new.txt": b"n\n"})
    session.say("/apply")
    snapshot.refresh()
    assert snapshot._base(session.engine) == "HEAD + 1 change", "applied, but not committed"
    session.say("/commit")
    snapshot.refresh()
    assert snapshot._base(session.engine) == "HEAD"
    made = session.git("rev-parse", "--short=7", "HEAD")
    session.git("commit", "-q", "--allow-empty", "-m", "By the user")
    snapshot.refresh()
    assert snapshot._base(session.engine) == made != base


def test_staged_edits_of_committed_file_stay_staged(session) -> None:
    session.file("a.txt").write_bytes(TEXT.replace(b"line 10\n", b"staged\n"))
    session.git("add", "a.txt")
    session.file("a.txt").write_bytes(TEXT.replace(b"line 10\n", b"staged\n").replace(b"line 20\n", b"unstaged\n"))
    session.begin()
    session.change_files({"a.txt": session.run_file("a.txt").replace(b"line 3\n", b"three\n")})
    session.say("/commit My own words")
    assert session.git("log", "-1", "--format=%s") == "My own words"
    assert session.git("diff", "--unified=0", "HEAD^", "HEAD").count("\n+") == 2
    staged, unstaged = session.git("diff", "--cached", "-U0"), session.git("diff", "-U0")
    assert ("+staged" in staged, "three" in staged, "unstaged" in staged) == (True, False, False)
    assert ("+unstaged" in unstaged, "three" in unstaged) == (True, False)


def test_change_in_users_uncommitted_lines_is_left_out(session) -> None:
    session.file("a.txt").write_bytes(TEXT.replace(b"line 3\n", b"mine\n"))
    session.file("own.txt").write_bytes(b"own\n")
    session.begin()
    session.change_files({"a.txt": TEXT.replace(b"line 3\n", b"both\n"), "own.txt": b"owned\n", "b.txt": b"B\n"})
    message = session.say("/commit")
    assert "Left out: a.txt, own.txt, because your own uncommitted edits" in message
    assert session.git("show", "--name-only", "--format=", "HEAD") == "b.txt"


@pytest.mark.parametrize("command", ["/commit", "/commit --branch other"])
def test_exploit_of_a_vulnerability_is_not_committed(session, command: str) -> None:
    session.begin(labels=("security",))
    exploit = {"tests/test_b.py": b"open('../../etc/passwd')\n", "poc.py": b"p\n"}
    session.change_files({"b.txt": b"B\n", **exploit, "c.py": b"# no ../../etc/passwd\n"})
    session.say(command)
    rev = command.split()[-1] if "--branch" in command else "HEAD"
    assert session.git("show", "--name-only", "--format=%B", rev).split() == [
        "Correct",
        "b.txt",
        "and",
        "1",
        "other",
        "file",
        "b.txt",
        "c.py",
    ]
    assert any(message.endswith("run's folder: poc.py, tests/test_b.py.") for message in session.messages)
    assert any("an added comment in c.py quotes" in message for message in session.messages)
    session.say("/apply")
    assert not session.file("poc.py").exists()


def test_refused_question_prevents_commit(session) -> None:
    session.begin()
    head = session.git("rev-parse", "HEAD")
    session.change_files({"b.txt": b"B\n"})
    session.answers = [Answer(False), Answer(True), Answer(False)]
    assert session.say("/commit") == "Nothing was applied."
    assert session.say("/commit") == "Nothing was committed."
    assert session.git("rev-parse", "HEAD") == head
    session.say("/commit")
    assert [question.kind for question in session.questions] == ["apply", "apply", "commit", "commit"]
    assert session.git("status", "--short") == ""


def write_hook(session, name: str, script: str, folder: str = ".git/hooks") -> None:
    file = session.file(f"{folder}/{name}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.mark.slow
def test_hooks_run_only_with_users_consent(session) -> None:
    write_hook(session, "pre-commit", "echo ran >> hooked.txt; echo more >> b.txt; git add b.txt")
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.answers = [Answer(True), Answer(True), Answer(False)]
    session.say("/commit")
    assert not session.file("hooked.txt").exists()
    assert session.questions[2].title == "Run the repository's hooks too (pre-commit)?"
    session.change_files({"b.txt": b"C\n"})
    session.say("/commit")
    assert session.file("hooked.txt").exists()
    assert session.git("show", "HEAD:b.txt") == "C\nmore"
    assert session.git("status", "--short") == "?? hooked.txt"


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize("name", ["reference-transaction", "post-commit"])
def test_every_hook_of_a_commit_is_named_before_it_runs(session, tmp_path: Path, name: str, allowed: bool) -> None:
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.say("/apply")
    hooks = tmp_path / "hooks"
    write_hook(session, name, f"touch {tmp_path}/ran", str(hooks))
    session.git("config", "core.hooksPath", str(hooks))
    session.answers = [Answer(True), Answer(allowed)]
    session.say("/commit")
    assert session.questions[-1].title == f"Run the repository's hooks too ({name})?"
    assert str(hooks) in session.questions[-1].detail
    assert (tmp_path / "ran").exists() == allowed


def test_hooks_that_do_not_run_for_a_new_branch_are_named(session) -> None:
    write_hook(session, "pre-commit", "exit 1")
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    message = session.say("/commit --branch fix")
    assert message.endswith("The repository's hooks were not run: pre-commit.")
    assert session.git("show", "fix:b.txt") == "B"


def test_stored_rules_do_not_allow_hooks(session) -> None:
    write_hook(session, "pre-commit", "true")
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.say("/commit")
    commit, hooks = session.questions[-2:]
    stored = [StoredRule(Rule(kind, "**"), "project") for kind in ("commit", "hooks")]
    assert judge(commit, [], stored).yes
    decision = judge(hooks, [], stored)
    assert (decision.yes, decision.always) == (None, ())
    assert judge(hooks, [Rule("hooks", "**")], stored).yes is False


def test_hooks_that_session_changed_are_named(session) -> None:
    session.git("config", "core.hooksPath", ".githooks")
    session.begin()
    session.change_files({".githooks/pre-commit": b"#!/bin/sh\ntrue\n", "b.txt": b"B\n"})
    session.say("/apply")
    session.file(".githooks/pre-commit").chmod(0o755)
    session.say("/commit")
    title = "Run the repository's hooks too (pre-commit), of which this session changed .githooks/pre-commit?"
    assert session.questions[-1].title == title


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
def test_changed_script_of_known_hook_layout_is_named(session, folder: str, path: str) -> None:
    session.git("config", "core.hooksPath", folder)
    write_hook(session, "pre-commit", "true", folder)
    session.begin()
    session.change_files({path: b"true\n"})
    session.say("/commit")
    assert (
        session.questions[-1].title
        == f"Run the repository's hooks too (pre-commit), of which this session changed {path}?"
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", ["tools/hooks/lib.sh", "bin/lib.sh"])
def test_changes_beside_linked_hook_or_its_target_are_named(session, path: str) -> None:
    session.git("config", "core.hooksPath", "tools/hooks")
    write_hook(session, "run", "true", "bin")
    write_hook(session, "other", "true", "tools/hooks")
    session.file("tools/hooks/pre-commit").symlink_to("../../bin/run")
    session.begin()
    session.change_files({path: b"true\n"})
    session.say("/commit")
    assert (
        session.questions[-1].title
        == f"Run the repository's hooks too (pre-commit), of which this session changed {path}?"
    )


@pytest.mark.parametrize("folder", [".husky/_", "tools/hooks"])
def test_other_changes_are_not_named_as_hooks(session, folder: str) -> None:
    session.git("config", "core.hooksPath", folder)
    write_hook(session, "pre-commit", "true", folder)
    session.begin()
    session.change_files({"b.txt": b"B\n", "tools/hooks.py": b"\n", "husky/x": b"\n"})
    session.say("/commit")
    assert session.questions[-1].title == "Run the repository's hooks too (pre-commit)?"


@pytest.mark.slow
def test_failed_hook_changes_nothing(session) -> None:
    write_hook(session, "commit-msg", "echo 'no ticket' >&2; exit 1")
    session.begin()
    head, index = session.git("rev-parse", "HEAD"), session.index()
    session.change_files({"b.txt": b"B\n"})
    with pytest.raises(UsageError, match="no ticket"):
        session.say("/commit")
    assert (session.git("rev-parse", "HEAD"), session.index()) == (head, index)
    assert not session.file(".git/index.lock").exists()
    session.answers = [Answer(True), Answer(False)]
    assert session.say("/commit").startswith("Commit ")


@pytest.mark.slow
def test_reverted_changes_are_not_committed(session) -> None:
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.say("/apply")
    session.say("/apply --undo")
    session.step("coder", session.engine.run.base.tree)
    assert "nothing to commit" in session.say("/commit")


def test_commit_to_branch_leaves_checkout_unchanged(session) -> None:
    session.file("a.txt").write_bytes(TEXT.replace(b"line 20\n", b"mine\n"))
    session.begin()
    before = session.index(), session.git("rev-parse", "HEAD"), session.git("status", "--short")
    session.change_files({"a.txt": session.run_file("a.txt").replace(b"line 3\n", b"three\n"), "new.txt": b"n\n"})
    message = session.say("/commit --branch fix/it The message")
    assert message.startswith("Branch fix/it is at ")
    assert session.questions[0].kind == "branch"
    assert (session.index(), session.git("rev-parse", "HEAD"), session.git("status", "--short")) == before
    assert session.git("log", "-1", "--format=%s", "fix/it") == "The message"
    assert "mine" not in session.git("show", "fix/it:a.txt")
    assert "three" in session.git("show", "fix/it:a.txt")
    with pytest.raises(UsageError, match="exists already"):
        session.say("/commit --branch fix/it")
    with pytest.raises(UsageError, match="needs a name"):
        session.say("/commit --branch")


def test_impossible_commit_is_refused_before_applying(session) -> None:
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.file(".git/MERGE_HEAD").write_text(session.git("rev-parse", "HEAD"))
    with pytest.raises(UsageError, match="under way"):
        session.say("/commit")
    session.file(".git/MERGE_HEAD").unlink()
    session.git("checkout", "-q", "--detach")
    with pytest.raises(UsageError, match="has no branch checked out"):
        session.say("/commit")
    session.git("checkout", "-q", "main")
    session.git("config", "user.name", "")
    with pytest.raises(UsageError, match="who you are"):
        session.say("/commit")
    session.git("config", "--unset", "user.name")
    session.file(".git/index.lock").write_text("")
    with pytest.raises(TryLater, match="git is running"):
        session.say("/commit")
    assert session.git("log", "--format=%s") == "The first commit"


@pytest.mark.parametrize("committed_since", [True, False], ids=["newer-commit", "no-newer-commit"])
@pytest.mark.parametrize("is_committed", [True, False], ids=["committed", "not-committed"])
def test_commit_of_killed_process_is_recovered(session, is_committed: bool, committed_since: bool) -> None:
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.say("/apply")
    index = session.file(".git/index").read_bytes()
    own = session_commit._own_changes(session.engine, session_commit._uncommitted(session.engine))
    data = session_commit._data(session.engine, own, "commit", "main", "Made")
    if is_committed:
        commit_module.commit(session.engine.repository, session.engine.trees, own.head, own.tree, "Made", False, "main")
        if not committed_since:
            session.file(".git/index").write_bytes(index)
    if committed_since:
        (session.root / "own.txt").write_text("own\n")
        session.git("add", "own.txt")
        session.git("commit", "-qm", "The user's own")
    session.file(".git/index.lock").write_text(f"{commit_module.OURS}{owner_mark(os.getpid()).rpartition(':')[0]}:1\n")
    session.engine.journal.append(Note("main", "intent", "commit 1", data))
    session.reopen()
    session_commit.check_interrupted_commit(session)
    assert ("the commit was made" in session.messages[-1]) == is_committed, session.messages
    assert not session.file(".git/index.lock").exists()
    if is_committed:
        assert session.git("status", "--short") == ""
        assert "nothing to commit" in session.say("/commit")


@pytest.mark.slow
def test_running_commit_of_killed_process_is_reported(session) -> None:
    write_hook(session, "pre-commit", "while [ ! -e go ]; do sleep 0.05; done")
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.say("/apply")
    own = session_commit._own_changes(session.engine, session_commit._uncommitted(session.engine))
    session.engine.journal.append(
        Note("main", "intent", "commit 1", session_commit._data(session.engine, own, "commit", "main", "Made"))
    )
    arguments = [session.root, session.run / "trees.git", own.head.commit, own.head.tree, own.tree]
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, *map(str, arguments)])
    lock = session.file(".git/index.lock")

    def is_git_running() -> bool:
        """Whether the lock names a running process besides the driver."""
        process_names = owners(lock) if lock.exists() else []
        return len(process_names) == 2 and is_running(process_names[1])

    wait_for(is_git_running)
    driver.kill()
    driver.wait()
    session.reopen()
    session_commit.check_interrupted_commit(session)
    assert "still in progress" in session.messages[-1]
    session.file("go").touch()
    wait_for(lambda: not is_git_running())
    session.file("go").unlink()
    session_commit.check_interrupted_commit(session)
    assert "the commit was made" in session.messages[-1]
    assert session.git("status", "--short") == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pre-commit", "post-commit"])
def test_another_session_completes_commit_of_killed_session(session, name: str) -> None:
    write_hook(session, name, "touch started; while [ ! -e go ]; do sleep 0.05; done")
    session.file("dir/c.txt").write_bytes(b"staged\n")
    session.git("add", "dir/c.txt")
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.say("/apply")
    own = session_commit._own_changes(session.engine, session_commit._uncommitted(session.engine))
    arguments = [session.root, session.run / "trees.git", own.head.commit, own.head.tree, own.tree]
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, *map(str, arguments)])
    wait_for(session.file("started").exists)
    lock = session.file(".git/index.lock")
    wait_for(lambda: len(owners(lock)) == 2)  # the driver and git
    driver.kill()
    driver.wait()
    start = Start(Repository.open(session.root), session.settings)
    events: list[object] = []
    run_startup_checks(start, lambda: session.settings, events.append).join()
    assert any("still in progress" in event.text for event in events if isinstance(event, MessageEvent))
    session.file("go").touch()
    wait_for(lambda: not any(map(is_running, owners(lock))))
    run_startup_checks(start, lambda: session.settings, events.append).join()
    commit_id = session.git("rev-parse", "HEAD")
    assert any(
        f"Commit {commit_id[:10]} was completed." in event.text for event in events if isinstance(event, MessageEvent)
    )
    session.file("go").unlink()
    session.file("started").unlink()
    assert session.git("status", "--short") == "M  dir/c.txt", "the index does not revert the commit"
    assert not lock.exists()
    assert not [path for path in session.file(".git").glob("swe-agent-*") if path.is_dir()]


def owners(lock: Path) -> list[str]:
    """The processes that a lock written by swe-agent names."""
    return lock.read_text().removeprefix(commit_module.OURS).partition("\n")[0].split()


def test_zombie_process_is_not_running() -> None:
    process = subprocess.Popen(["true"])
    process_name = owner_mark(process.pid)
    wait_for(lambda: not is_running(process_name))
    assert process.wait() == 0


def test_background_process_of_hook_is_not_awaited(session) -> None:
    write_hook(session, "post-commit", "sleep 600 & echo $! > left; echo said >&2")
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    try:
        assert session.say("/commit").startswith("Commit ")
        os.kill(int(session.file("left").read_text()), 0)
    finally:
        os.kill(int(session.file("left").read_text()), signal.SIGKILL)


@pytest.mark.slow
def test_interrupt_ends_hooks_and_prevents_commit(session) -> None:
    write_hook(session, "pre-commit", "touch started; sleep 600")
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.say("/apply")
    Thread(target=lambda: (wait_for(session.file("started").exists), session.stopped.set())).start()
    assert session.say("/commit") == "Interrupted: nothing was committed. Changes that hooks made to your files stay."
    assert session.git("log", "--format=%s") == "The first commit"
    assert session.git("status", "--short") == "M b.txt\n?? started"
    assert not session.file(".git/index.lock").exists()


@pytest.mark.slow
def test_interrupt_kills_hook_that_ignores_sigterm(session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit_module, "GRACE", 0.3)
    write_hook(session, "pre-commit", "trap '' TERM; echo $$ > id; mv id started; sleep 60; echo late >> b.txt")
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.say("/apply")
    process_names = []

    def interrupt() -> None:
        wait_for(session.file("started").exists)
        process_names.append(owner_mark(int(session.file("started").read_text())))
        session.stopped.set()

    Thread(target=interrupt).start()
    assert "nothing was committed" in session.say("/commit")
    wait_for(lambda: not is_running(process_names[0]))
    assert session.file("b.txt").read_bytes() == b"B\n"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_long_subject_is_shortened() -> None:
    long = "Make the parser of dates take what people write in their letters, and more of the kind"
    assert len(shorten_subject(long)) <= LONGEST
    assert shorten_subject(long).endswith("more…") or shorten_subject(long).endswith("…")


@pytest.mark.slow
def test_commit_message_lists_requests_since_last_commit(session) -> None:
    for n in range(3):
        session.git("commit", "--allow-empty", "-qm", f"add thing {n}.")
    session.begin()
    session.change_files({"b.txt": b"B\n"})
    session.say("/commit")
    assert session.git("log", "-1", "--format=%s") == "work."
    for request, ended in (("Rename it", "unproven"), ("Why so?", "unproven"), ("Test it", "answered")):
        session.start_turn(ended)
        turn = session.engine.trajectory.turns[-1]
        object.__setattr__(turn, "request", request)
        object.__setattr__(turn, "models", {"coder": "m"})
    session.change_files({"b.txt": b"C\n"})
    session.say("/commit")
    assert session.git("log", "-1", "--format=%B") == "rename it.\n\n- Rename it\n- Test it"
