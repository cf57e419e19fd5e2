"""A patch is given back to the user's repository without a loss: applied, or as a branch; clones."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from aci.repository.clone import clone
from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import BYTES, User
from trajectories.errors import TryLater, UsageError, WorkspaceError
from trajectories.git_commands import GitFailed, exclusive
from trajectories.trees import Trees

# Applying


def test_apply_changes_files_and_nothing_else(user: User, trees: Trees) -> None:
    user.write("b.py", b"mine, not staged\n")
    user.write("staged", b"mine\n")
    user.git("add", "staged")
    user.write("untracked", b"mine\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write(
        {"a.py": b"a = 2\n", "dir/c.py": None, "new/ \xe9\n.bin": bytes(range(256)), os.fsdecode(BYTES): b"x"},
        base.tree,
    )
    diff = trees.diff(base.tree, tree)
    index = (user.root / ".git" / "index").read_bytes()
    assert not repository.applied(diff)
    repository.apply(diff, base)
    assert repository.applied(diff)
    assert (user.root / ".git" / "index").read_bytes() == index
    assert repository.base(trees).tree == tree
    assert (user.root / "b.py").read_bytes() == b"mine, not staged\n"
    assert not [file for file in (user.root / ".git").iterdir() if file.name.startswith("swe-agent-")]


def test_apply_refuses_whole_and_names_files(user: User, trees: Trees, tmp_path: Path) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n", "b.py": b"b = 2\n", "new.py": b"new\n", "dir/c.py": None}, base.tree)
    user.write("b.py", b"changed since\n")
    user.write("new.py", b"the user's own, untracked\n")
    before = user.state()
    with pytest.raises(UsageError) as caught:
        repository.apply(trees.diff(base.tree, tree), base, tmp_path / "patch.diff")
    assert user.state() == before
    assert "b.py" in caught.value.message
    assert "new.py: already exists" in caught.value.message
    assert "dir/c.py" not in caught.value.message
    assert str(tmp_path / "patch.diff") in caught.value.fix


def test_apply_leaves_no_lock_behind_and_waits_for_another(
    user: User, trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    diff = trees.diff(base.tree, trees.write({"a.py": b"a = 2\n"}, base.tree))
    lock = user.root / ".git" / "swe-agent.lock"
    monkeypatch.setattr("aci.repository.user_repository.LOCK_SECONDS", 0.1)
    with exclusive(lock, 1, TimeoutError()), pytest.raises(TryLater, match="Another swe-agent is changing"):
        repository.apply(diff, base)
    lock.touch()  # of a process that was killed
    repository.apply(diff, base)
    assert repository.applied(diff)
    assert not lock.exists()


def test_lock_that_comes_and_goes_is_held_by_one_at_time(tmp_path: Path) -> None:
    count = tmp_path / "count"
    count.write_text("0")

    def add(_: int) -> None:
        with exclusive(tmp_path / "lock", 60, TimeoutError()):
            number = int(count.read_text())
            count.write_text(str(number + 1))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(200)))
    assert count.read_text() == "200"
    assert not (tmp_path / "lock").exists()


def test_file_system_without_locks_is_not_reported_as_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)  # every file system here has locks
    with (
        pytest.raises(WorkspaceError, match="Operation not supported"),
        exclusive(tmp_path / "lock", 0, TimeoutError()),
    ):
        pass


@pytest.mark.parametrize("path", ["../outside", ".git/hooks/pre-commit", "link/file", "/etc/x"])
def test_apply_never_leaves_working_tree(user: User, trees: Trees, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside-folder").mkdir()
    (user.root / "link").symlink_to(tmp_path / "outside-folder")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    diff = f"diff --git a/{path} b/{path}\nnew file mode 100755\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+evil\n"
    with pytest.raises(UsageError):
        repository.apply(diff, base)
    assert not list((tmp_path / "outside-folder").iterdir())
    assert not (tmp_path / "outside").exists()


def test_what_is_no_diff_is_refused_and_nothing_is_nothing(user: User, trees: Trees) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    with pytest.raises(UsageError):
        repository.apply("Here is your patch!", base)
    repository.apply("", base)


def test_two_at_once_one_applies(user: User, trees: Trees) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    lines = b"".join(b"line %d\n" % n for n in range(3000))
    tree = trees.write({"a.py": lines, "b.py": lines}, base.tree)
    diff, refused = trees.diff(base.tree, tree), []

    def work() -> None:
        try:
            Repository.open(user.root).apply(diff, base)
        except UsageError as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 2
    assert repository.base(trees).tree == tree


def test_apply_that_fails_half_way_puts_files_back(user: User, trees: Trees) -> None:
    """A filter that fails while git writes stands for a full disk."""
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n", "a_new.py": b"", "dir/c.py": b"c = 2\n"}, base.tree)
    user.git("config", "filter.bad.clean", "cat")
    user.git("config", "filter.bad.smudge", "false")
    user.git("config", "filter.bad.required", "true")
    user.write(".git/info/attributes", b"dir/* filter=bad\n")
    before = {path: file for path, file in user.state().items() if not path.startswith(".git/")}
    with pytest.raises(GitFailed, match="filter"):
        repository.apply(trees.diff(base.tree, tree), base)
    assert {path: file for path, file in user.state().items() if not path.startswith(".git/")} == before


def test_file_where_folder_is_needed_keeps_none_from_being_put_back(user: User, trees: Trees) -> None:
    user.write("a.txt", b"old\n")
    user.write("build", b"mine\n")
    user.write(".git/info/exclude", b"build\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.txt": b"new\n", "build/x.txt": b"x\n", "new.txt": b"n\n"}, base.tree)
    before = {path: file for path, file in user.state().items() if not path.startswith(".git/")}
    with pytest.raises(GitFailed):
        repository.apply(trees.diff(base.tree, tree), base)
    assert {path: file for path, file in user.state().items() if not path.startswith(".git/")} == before


# Branches


def test_branch_holds_tree_and_touches_nothing_else(user: User, trees: Trees) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n", "tests/test_a.py": b"x\n"}, base.tree)
    user.write("b.py", b"edited since\n")
    kept = {path: data for path, data in user.state().items() if not path.startswith((".git/objects", ".git/refs"))}
    commit = repository.branch("fix/it", base, tree, trees, "Fix it\n\n# not a comment\n")
    assert {
        path: data
        for path, data in user.state().items()
        if not path.startswith((".git/objects", ".git/refs", ".git/logs"))
    } == {path: data for path, data in kept.items() if not path.startswith(".git/logs")}
    assert user.git("rev-parse", "fix/it", "fix/it^", "fix/it^{tree}").split() == [commit, base.commit, tree]
    assert (
        user.git("log", "-1", "--format=%an <%ae>|%cn|%B", commit)
        == "Ada <ada@example.org>|Ada|Fix it\n\n# not a comment"
    )
    assert user.git("symbolic-ref", "HEAD") == "refs/heads/trunk"
    user.git("fsck", "--full", "--strict")
    assert repository.branch("fix/it", base, tree, trees, "again") == commit


def test_branch_from_dirty_base_holds_users_changes_too(user: User, trees: Trees) -> None:
    user.write("b.py", b"uncommitted\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    commit = repository.branch("fix", base, trees.write({"a.py": b"a = 2\n"}, base.tree), trees, "m")
    assert user.git("diff", "--name-only", f"{commit}^", commit).split() == ["a.py", "b.py"]


@pytest.mark.parametrize(
    "name", ["", "-x", "a b", "a..b", "x.lock", "@{-1}", "HEAD", "a/", "/a", "nul\0x", "a\nb", "trunk", "taken/below"]
)
def test_names_that_no_branch_can_have(user: User, trees: Trees, name: str) -> None:
    user.git("branch", "taken")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n"}, base.tree)
    refs = user.git("for-each-ref")
    with pytest.raises(UsageError):
        repository.branch(name, base, tree, trees, "m")
    assert user.git("for-each-ref") == refs


def test_without_identity_author_is_swe_agent(user: User, trees: Trees, home: Path) -> None:
    (home / ".gitconfig").write_text("")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    commit = repository.branch("fix", base, trees.write({"n": b""}, base.tree), trees, "Grüße")
    assert (
        user.git("log", "-1", "--format=%an <%ae> %cn %s", commit) == "swe-agent <swe-agent@localhost> swe-agent Grüße"
    )


# Bare repositories and clones


def test_bare_repository_gives_base_and_takes_branch(user: User, trees: Trees, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", "--bare", user.root, tmp_path / "mirror.git"], check=True)
    repository = Repository.open(tmp_path / "mirror.git")
    assert repository.name == "mirror"
    base = repository.base(trees)
    assert base.tree == user.git("rev-parse", "HEAD^{tree}")
    tree = trees.write({"a.py": b"a = 2\n"}, base.tree)
    with pytest.raises(UsageError, match="bare"):
        repository.apply(trees.diff(base.tree, tree), base)
    assert repository.branch("fix", base, tree, trees, "m")
    repository.history(base, tmp_path / "history")


def test_folder_for_clones_that_cannot_be_made(user: User, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="Nothing can be cloned") as caught:
        clone(f"file://{user.root}", tmp_path / "file" / "clones")
    assert "SWE_AGENT_STATE" in caught.value.fix


def test_of_two_clones_at_once_first_stays(user: User, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        places = list(pool.map(lambda _: clone(f"file://{user.root}", tmp_path / "clones"), range(4)))
    assert list((tmp_path / "clones").iterdir()) == [places[0]]
    assert set(places) == {places[0]}
    assert Repository.open(places[0]).bare


def test_what_is_read_is_said_in_words(user: User, tmp_path: Path) -> None:
    assert Repository.open(user.root).told() == "the working tree"
    assert Repository.open(user.root).told("v1") == "v1"
    assert Repository.open(clone(f"file://{user.root}", tmp_path / "clones")).told() == "HEAD"


def test_url_is_cloned_once_and_kept_up_to_date(user: User, trees: Trees, tmp_path: Path) -> None:
    url = f"file://{user.root}"
    place = clone(url, tmp_path / "clones")
    latest = user.commit(**{"a.py": b"later\n"})
    assert clone(url, tmp_path / "clones") == place
    assert Repository.open(place).base(trees).commit == latest
    for wrong in (f"file://{tmp_path}/none", "ext::sh -c true", "--upload-pack=true", "nowhere://x/y"):
        with pytest.raises(UsageError, match="cannot be cloned"):
            clone(wrong, tmp_path / "clones")
    with pytest.raises(WorkspaceError, match="cannot be cloned") as caught:
        clone("https://u:secret@localhost:1/x", tmp_path / "clones")
    assert "secret" not in caught.value.message
    assert list((tmp_path / "clones").iterdir()) == [place]


@pytest.mark.parametrize(
    ("status", "error"), [(404, UsageError), (401, UsageError), (429, WorkspaceError), (503, WorkspaceError)]
)
def test_clear_no_of_server_is_told_from_its_trouble(tmp_path: Path, status: int, error: type[Exception]) -> None:
    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(error, match="cannot be cloned"):
                clone(f"http://127.0.0.1:{server.server_port}/ada/engine.git", tmp_path)
        finally:
            server.shutdown()
            thread.join()
