"""Patches delivered to the user's repository, applied or as a branch, and clones of URLs."""

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
from aci.repository.proposed_patch import patched_files
from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import BYTES, User
from trajectories.errors import TryLater, UsageError, WorkspaceError
from trajectories.git_store.git_commands import GitFailed, exclusive
from trajectories.git_store.trees import Trees

# Applying


def run_git(root: Path, *args: str) -> str:
    """Return the unchanged output of git: a patch ends with a line feed."""
    return subprocess.run(["git", *args], cwd=root, check=True, capture_output=True).stdout.decode()


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


@pytest.mark.parametrize("options", ["-M", "-M --binary", "-C --find-copies-harder"])
def test_patch_with_renames_applies(user: User, trees: Trees, options: str) -> None:
    """A patch from elsewhere may state renames and copies, which a run's own patch does not."""
    lines = b"".join(b"line %d\n" % n for n in range(40))
    user.commit(**{"old/name.py": lines, "kept.py": lines[::-1], "data.bin": bytes(range(256)) * 9})
    user.git("mv", "old/name.py", "new name.py")
    user.git("mv", "data.bin", "moved.bin")
    user.write("new name.py", lines.replace(b"line 7\n", b"seven\n"))
    user.write("copy.py", lines[::-1] + b"more\n")
    user.git("add", "-A")
    diff = run_git(user.root, "diff", "--cached", *options.split())
    assert "rename from old/name.py" in diff
    user.git("reset", "-q", "--hard")
    user.write("new name.py").unlink()
    repository = Repository.open(user.root)
    base = repository.base(trees)
    repository.apply(diff, base)
    assert not (user.root / "old").exists()
    assert not (user.root / "data.bin").exists()
    assert (user.root / "new name.py").read_bytes() == lines.replace(b"line 7\n", b"seven\n")
    assert (user.root / "moved.bin").read_bytes() == bytes(range(256)) * 9
    assert (user.root / "kept.py").read_bytes() == lines[::-1]
    assert (user.root / "copy.py").read_bytes() == lines[::-1] + b"more\n"
    assert repository.applied(diff) or "copy from" in diff, "git cannot reverse copies"


@pytest.mark.parametrize("value", ["error", "error-all", "fix", "warn"])
def test_patch_with_trailing_blanks_applies_whatever_the_users_setting(user: User, trees: Trees, value: str) -> None:
    user.git("config", "apply.whitespace", value)
    repository = Repository.open(user.root)
    base = repository.base(trees)
    diff = trees.diff(base.tree, trees.write({"a.py": b"a = 2  \n\t \n", "new.py": b"x = 1 \n\n\n"}, base.tree))
    repository.apply(diff, base)
    assert (user.root / "a.py").read_bytes() == b"a = 2  \n\t \n"
    assert (user.root / "new.py").read_bytes() == b"x = 1 \n\n\n"
    assert repository.applied(diff)
    with patched_files(repository, diff) as (without, patched):
        assert without.key != patched.key


def test_setting_that_ignores_blanks_does_not_let_another_patch_apply(user: User, trees: Trees) -> None:
    user.git("config", "apply.ignoreWhitespace", "change")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    diff = trees.diff(base.tree, trees.write({"a.py": b"a = 2\n"}, base.tree)).replace("-a = 1", "-a  =  1")
    with pytest.raises(UsageError, match="does not apply"):
        repository.apply(diff, base)


def test_refused_apply_changes_nothing_and_names_files(user: User, trees: Trees, tmp_path: Path) -> None:
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


def test_apply_waits_for_lock_and_removes_it(user: User, trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    diff = trees.diff(base.tree, trees.write({"a.py": b"a = 2\n"}, base.tree))
    lock = user.root / ".git" / "swe-agent.lock"
    monkeypatch.setattr("aci.repository.user_repository.LOCK_SECONDS", 0.1)
    with exclusive(lock, 1, TimeoutError()), pytest.raises(TryLater, match="Another swe-agent is changing"):
        repository.apply(diff, base)
    lock.touch()  # leftover of a killed process
    repository.apply(diff, base)
    assert repository.applied(diff)
    assert not lock.exists()


def test_lock_is_held_by_one_thread_at_a_time(tmp_path: Path) -> None:
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

    monkeypatch.setattr("fcntl.flock", refuse)  # all file systems on test machines support locks
    with (
        pytest.raises(WorkspaceError, match="Operation not supported"),
        exclusive(tmp_path / "lock", 0, TimeoutError()),
    ):
        pass


@pytest.mark.parametrize("path", ["../outside", ".git/hooks/pre-commit", "link/file", "/etc/x"])
def test_apply_never_writes_outside_working_tree(user: User, trees: Trees, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside-folder").mkdir()
    (user.root / "link").symlink_to(tmp_path / "outside-folder")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    diff = f"diff --git a/{path} b/{path}\nnew file mode 100755\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+evil\n"
    with pytest.raises(UsageError):
        repository.apply(diff, base)
    assert not list((tmp_path / "outside-folder").iterdir())
    assert not (tmp_path / "outside").exists()


def test_apply_refuses_text_without_diff_and_accepts_empty_diff(user: User, trees: Trees) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    with pytest.raises(UsageError):
        repository.apply("Here is your patch!", base)
    repository.apply("", base)


def test_only_one_of_concurrent_applies_succeeds(user: User, trees: Trees) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    lines = b"".join(b"line %d\n" % n for n in range(3000))
    tree = trees.write({"a.py": lines, "b.py": lines}, base.tree)
    diff, errors = trees.diff(base.tree, tree), []

    def work() -> None:
        try:
            Repository.open(user.root).apply(diff, base)
        except UsageError as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 2
    assert repository.base(trees).tree == tree


def test_failed_apply_restores_files(user: User, trees: Trees) -> None:
    """A filter that fails while git writes simulates a full disk."""
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n", "a_new.py": b"", "dir/c.py": b"c = 2\n"}, base.tree)
    user.configure("filter.bad.clean", "cat")
    user.configure("filter.bad.smudge", "false")
    user.configure("filter.bad.required", "true")
    user.write(".git/info/attributes", b"dir/* filter=bad\n")
    before = {path: file for path, file in user.state().items() if not path.startswith(".git/")}
    with pytest.raises(GitFailed, match="filter"):
        repository.apply(trees.diff(base.tree, tree), base)
    assert {path: file for path, file in user.state().items() if not path.startswith(".git/")} == before


def test_apply_blocked_by_file_in_place_of_folder_restores_files(user: User, trees: Trees) -> None:
    user.write("a.txt", b"old\n")
    user.write("build", b"mine\n")
    user.write(".git/info/exclude", b"build\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.txt": b"new\n", "build/x.txt": b"x\n", "new.txt": b"n\n"}, base.tree)
    before = {path: file for path, file in user.state().items() if not path.startswith(".git/")}
    with pytest.raises(UsageError, match=r"cannot be written to .*build"):
        repository.apply(trees.diff(base.tree, tree), base)
    assert {path: file for path, file in user.state().items() if not path.startswith(".git/")} == before


# Branches


def test_branch_holds_tree_and_changes_nothing_else(user: User, trees: Trees) -> None:
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n", "tests/test_a.py": b"x\n"}, base.tree)
    user.write("b.py", b"edited since\n")
    before = {path: data for path, data in user.state().items() if not path.startswith((".git/objects", ".git/refs"))}
    commit = repository.branch("fix/it", base, tree, trees, "Fix it\n\n# not a comment\n")
    assert {
        path: data
        for path, data in user.state().items()
        if not path.startswith((".git/objects", ".git/refs", ".git/logs"))
    } == {path: data for path, data in before.items() if not path.startswith(".git/logs")}
    assert user.git("rev-parse", "fix/it", "fix/it^", "fix/it^{tree}").split() == [commit, base.commit, tree]
    assert (
        user.git("log", "-1", "--format=%an <%ae>|%cn|%B", commit)
        == "Ada <ada@example.org>|Ada|Fix it\n\n# not a comment"
    )
    assert user.git("symbolic-ref", "HEAD") == "refs/heads/trunk"
    user.git("fsck", "--full", "--strict")
    assert repository.branch("fix/it", base, tree, trees, "again") == commit


def test_branch_from_dirty_base_includes_user_changes(user: User, trees: Trees) -> None:
    user.write("b.py", b"uncommitted\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    commit = repository.branch("fix", base, trees.write({"a.py": b"a = 2\n"}, base.tree), trees, "m")
    assert user.git("diff", "--name-only", f"{commit}^", commit).split() == ["a.py", "b.py"]


@pytest.mark.parametrize(
    "name", ["", "-x", "a b", "a..b", "x.lock", "@{-1}", "HEAD", "a/", "/a", "nul\0x", "a\nb", "trunk", "taken/below"]
)
def test_invalid_or_taken_branch_name_is_refused(user: User, trees: Trees, name: str) -> None:
    user.git("branch", "taken")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    tree = trees.write({"a.py": b"a = 2\n"}, base.tree)
    refs = user.git("for-each-ref")
    with pytest.raises(UsageError):
        repository.branch(name, base, tree, trees, "m")
    assert user.git("for-each-ref") == refs


def test_author_without_git_identity_is_swe_agent(user: User, trees: Trees, home: Path) -> None:
    (home / ".gitconfig").write_text("")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    commit = repository.branch("fix", base, trees.write({"n": b""}, base.tree), trees, "Grüße")
    assert (
        user.git("log", "-1", "--format=%an <%ae> %cn %s", commit) == "swe-agent <swe-agent@localhost> swe-agent Grüße"
    )


# Bare repositories and clones


def test_bare_repository_has_base_and_accepts_branch(user: User, trees: Trees, tmp_path: Path) -> None:
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


def test_clone_reports_folder_that_cannot_be_created(user: User, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="Cannot clone") as caught:
        clone(f"file://{user.root}", tmp_path / "file" / "clones")
    assert "SWE_AGENT_STATE" in caught.value.fix


def test_concurrent_clones_share_one_folder(user: User, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        paths = list(pool.map(lambda _: clone(f"file://{user.root}", tmp_path / "clones"), range(4)))
    assert list((tmp_path / "clones").iterdir()) == [paths[0]]
    assert set(paths) == {paths[0]}
    assert Repository.open(paths[0]).bare


def test_repository_describes_its_base(user: User, tmp_path: Path) -> None:
    assert Repository.open(user.root).describe_source() == "the working tree"
    assert Repository.open(user.root).describe_source("v1") == "v1"
    assert Repository.open(clone(f"file://{user.root}", tmp_path / "clones")).describe_source() == "HEAD"


def test_url_is_cloned_once_and_then_updated(user: User, trees: Trees, tmp_path: Path) -> None:
    url = f"file://{user.root}"
    path = clone(url, tmp_path / "clones")
    latest = user.commit(**{"a.py": b"later\n"})
    assert clone(url, tmp_path / "clones") == path
    assert Repository.open(path).base(trees).commit == latest
    for wrong in (f"file://{tmp_path}/none", "ext::sh -c true", "--upload-pack=true", "nowhere://x/y"):
        with pytest.raises(UsageError, match="cannot be cloned"):
            clone(wrong, tmp_path / "clones")
    with pytest.raises(WorkspaceError, match="cannot be cloned") as caught:
        clone("https://u:secret@localhost:1/x", tmp_path / "clones")
    assert "secret" not in caught.value.message
    assert list((tmp_path / "clones").iterdir()) == [path]


@pytest.mark.parametrize(
    ("status", "error"), [(404, UsageError), (401, UsageError), (429, WorkspaceError), (503, WorkspaceError)]
)
def test_clone_distinguishes_refusal_from_server_failure(tmp_path: Path, status: int, error: type[Exception]) -> None:
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
