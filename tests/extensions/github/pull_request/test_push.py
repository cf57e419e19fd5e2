"""Commits created without a working tree and pushed without force, and the secrecy of the token."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from aci.repository import clone as cloning
from aci.repository.user_repository import Repository
from extensions.github.pull_request import push as pushing
from extensions.github.pull_request.publish_store import PublishStore, open_publish_store
from extensions.github.pull_request.push import BranchMoved, NotAllowed, RuleViolation, WorkflowScope, branch_tip, push
from tests.conftest import MakeRepo, git
from tests.github_server import Hub, Repo
from trajectories.errors import SweAgentError, TryLater, UsageError
from trajectories.git_store.git_commands import GitFailed
from trajectories.git_store.git_commands import git as run_git

AT = 1_700_000_000
ADA = ("Ada", "ada@example.org")
DIFF = b"""diff --git a/a.txt b/a.txt
--- a/a.txt
+++ b/a.txt
@@ -1 +1 @@
-one
+two
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with Hub(tmp_path) as hub:
        hub.token("t0ken", "ada")
        yield hub


@pytest.fixture
def remote(hub: Hub, tmp_path: Path) -> Repo:
    """The server's repository, which has the same commit as `store`."""
    git(tmp_path, "clone", "-q", "--bare", str(tmp_path / "repo1"), str(tmp_path / "there.git"))
    repo = hub.repo("octo/calc", git=tmp_path / "there.git")
    repo.permissions["ada"] = "write"
    return repo


@pytest.fixture
def store(make_repo: MakeRepo) -> Iterator[PublishStore]:
    root = make_repo({"a.txt": "one\n", "sub/b.txt": "b\n", ".gitattributes": "*.txt filter=evil text eol=crlf\n"})
    for name, program in (("filter.evil.clean", "false"), ("filter.evil.smudge", "false"), ("core.fsmonitor", "false")):
        git(root, "config", name, program)
    for hook in ("pre-push", "reference-transaction", "post-index-change"):
        (root / ".git/hooks").mkdir(exist_ok=True)
        file = root / ".git/hooks" / hook
        file.write_text(f"#!/bin/sh\ntouch {root.parent}/hooked\n")
        file.chmod(0o755)
    with open_publish_store(Repository.open(root)) as store:
        yield store


def head(store: PublishStore) -> str:
    return store.repository.commit()


def make_commit(store: PublishStore, message: str = "Two\n") -> str:
    return store.commit(store.tree(head(store), DIFF), head(store), message, AT, ADA)


def test_commit_holds_patch_and_repository_is_not_changed(store: PublishStore):
    before = sorted(path for path in store.repository.git_dir.rglob("*"))
    commit = make_commit(store)
    assert store.read(commit, "a.txt") == b"two\n"
    assert store.read(commit, "sub/b.txt") == b"b\n"
    assert store.read(commit, "none") is None
    assert [(change.path, change.status) for change in store.changes(head(store), commit)] == [("a.txt", "M")]
    assert sorted(path for path in store.repository.git_dir.rglob("*")) == before
    assert commit == make_commit(store)
    with pytest.raises(GitFailed):
        store.repository._git("cat-file", "-e", commit)


def test_files_are_written_on_top_of_patch(store: PublishStore):
    tree = store.write(store.tree(head(store), DIFF), {"sub/b.txt": b"c\n", "new/d.txt": b"d\n"})
    assert [(change.path, change.status) for change in store.changes(head(store), tree)] == [
        ("a.txt", "M"), ("new/d.txt", "A"), ("sub/b.txt", "M"),
    ]  # fmt: skip
    assert store.diff(head(store), tree).count("diff --git") == 3


@pytest.mark.parametrize(
    "diff",
    [
        DIFF.replace(b"-one", b"-three"),
        DIFF.replace(b"a/a.txt", b"a/../x").replace(b"b/a.txt", b"b/../x"),
        b"diff --git a/.git/x b/.git/x\nnew file mode 100644\n--- /dev/null\n+++ b/.git/x\n@@ -0,0 +1 @@\n+x\n",
        b"diff --git a/.GIT/x b/.GIT/x\nnew file mode 100644\n--- /dev/null\n+++ b/.GIT/x\n@@ -0,0 +1 @@\n+x\n",
        b"no diff\n",
    ],
    ids=["other context", "path above", ".git", ".GIT", "no diff"],
)
def test_patch_that_does_not_apply_is_refused(store: PublishStore, diff):
    with pytest.raises(UsageError, match="The patch does not apply"):
        store.tree(head(store), diff)


def test_push_creates_branch_and_then_updates_it(hub: Hub, store: PublishStore, remote: Repo):
    url, first = hub.clone_url(remote), make_commit(store)
    assert branch_tip(store, "swe-agent/issue-1", url, "t0ken") == ""
    push(store, first, "swe-agent/issue-1", url, "t0ken")
    assert (
        branch_tip(store, "swe-agent/issue-1", url, "t0ken")
        == first
        == git(remote.git, "rev-parse", "swe-agent/issue-1")
    )
    second = store.commit(store.write(first, {"c": b"c"}), first, "Three", AT, ADA)
    push(store, second, "swe-agent/issue-1", url, "t0ken", new=False)
    assert git(remote.git, "rev-parse", "swe-agent/issue-1") == second
    assert not (store.repository.root.parent / "hooked").exists()


@pytest.mark.parametrize("new", [True, False])
def test_push_refuses_diverged_branch(hub: Hub, store: PublishStore, remote: Repo, new):
    url, commit = hub.clone_url(remote), make_commit(store)
    other = store.commit(store.write(head(store), {"x": b"x"}), head(store), "Other", AT, ADA)
    push(store, other, "b", url, "t0ken")
    with pytest.raises(BranchMoved, match=r"The branch b of 127.0.0.1/octo/calc has changed: nothing was pushed"):
        push(store, commit, "b", url, "t0ken", new=new)
    assert git(remote.git, "rev-parse", "b") == other


def test_push_of_new_branch_refuses_existing_branch(hub: Hub, store: PublishStore, remote: Repo):
    git(remote.git, "branch", "b", head(store))
    with pytest.raises(BranchMoved):
        push(store, make_commit(store), "b", hub.clone_url(remote), "t0ken")
    assert git(remote.git, "rev-parse", "b") == head(store)


def remove_write_permission(repo: Repo) -> None:
    repo.permissions["ada"] = "read"


def archive(repo: Repo) -> None:
    repo.archived = True


def make_private(repo: Repo) -> None:
    repo.permissions.clear()
    repo.private = True


def revoke_tokens(repo: Repo) -> None:
    repo.hub.tokens.clear()


def protect_branch(repo: Repo) -> None:
    repo.protected.add("b")


@pytest.mark.parametrize(
    ("restrict", "error", "message"),
    [
        (remove_write_permission, NotAllowed, "127.0.0.1/octo/calc does not let you push: "),
        (archive, NotAllowed, "127.0.0.1/octo/calc does not let you push: "),
        (make_private, NotAllowed, "127.0.0.1/octo/calc does not let you push: "),
        (revoke_tokens, NotAllowed, "127.0.0.1/octo/calc does not let you push: "),
        (protect_branch, RuleViolation, "A rule of 127.0.0.1/octo/calc forbids the branch b: "),
    ],
    ids=["read only", "archived", "private", "revoked token", "protected branch"],
)
def test_refused_push_is_reported_without_token(hub: Hub, store: PublishStore, remote: Repo, restrict, error, message):
    restrict(remote)
    with pytest.raises(error) as caught:
        push(store, make_commit(store), "b", hub.clone_url(remote), "t0ken")
    assert caught.value.message.startswith(message)
    assert "t0ken" not in f"{caught.value.message} {caught.value.fix}"
    assert caught.value.code == 3


def test_workflow_change_needs_workflow_permission(hub: Hub, store: PublishStore, remote: Repo):
    hub.token("t0ken", "ada", {"contents": "write"})
    tree = store.write(head(store), {".github/workflows/x.yml": b"on: push\n"})
    with pytest.raises(WorkflowScope, match=r"The token may not change workflows of 127.0.0.1/octo/calc"):
        push(store, store.commit(tree, head(store), "W", AT, ADA), "b", hub.clone_url(remote), "t0ken")


def test_unreachable_server_raises_try_later(store: PublishStore):
    with pytest.raises(TryLater, match=r"127.0.0.1/octo/calc could not be reached"):
        branch_tip(store, "b", "http://127.0.0.1:1/octo/calc.git", "t0ken")


@pytest.mark.parametrize("url", ["ext::sh -c 'touch hooked'", "file:///tmp/x.git", "/tmp/x.git", "git://127.0.0.1/x"])
def test_url_other_than_https_or_ssh_is_refused(store: PublishStore, url):
    with pytest.raises(SweAgentError):
        push(store, make_commit(store), "b", url)


@pytest.mark.parametrize("branch", ["-f", "a..b", "a b", "", "a:b", "+a", "x.lock", "a\n"])
def test_invalid_branch_name_is_refused(hub: Hub, store: PublishStore, remote: Repo, branch):
    with pytest.raises(UsageError):
        push(store, make_commit(store), branch, hub.clone_url(remote), "t0ken")
    assert git(remote.git, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_token_is_in_no_argument_and_sent_only_to_its_url(hub: Hub, store: PublishStore, remote: Repo, monkeypatch):
    calls: list[tuple[tuple[str, ...], dict[str, str]]] = []
    run = pushing.git

    def recording_git(*args: str, env: dict[str, str], **more: object) -> bytes:
        calls.append((args, dict(env)))
        return run(*args, env=env, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(pushing, "git", recording_git)
    monkeypatch.setenv("GIT_TRACE_CURL", str(store.path / "trace"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'http.extraHeader=X: y'")
    push(store, make_commit(store), "b", hub.clone_url(remote), "t0ken")
    ((args, env),) = calls
    assert not [arg for arg in args if "t0ken" in arg]
    assert [name for name, value in env.items() if "t0ken" in value and name not in os.environ] == []
    assert not (store.path / "trace").exists()
    keys = [value for name, value in env.items() if name.startswith("GIT_CONFIG_KEY_")]
    assert [key for key in keys if "extraHeader" in key] == [f"http.{hub.clone_url(remote)}.extraHeader"] * 2


def test_clone_with_token_keeps_settings_of_the_users_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The user's own settings may lead to the server, such as a proxy."""
    calls: list[dict[str, str]] = []

    def refuse_without_token(*args: str, env: dict[str, str], **_: object) -> bytes:
        calls.append(env)
        raise GitFailed("clone", 128, b"fatal: Authentication failed")

    monkeypatch.setattr(cloning, "git", refuse_without_token)
    for name, value in {"COUNT": "1", "KEY_0": "http.proxy", "VALUE_0": "http://proxy.example:3128"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    with pytest.raises(UsageError):
        cloning.clone("https://github.com/octo/calc.git", tmp_path, "t0ken")
    monkeypatch.undo()
    assert len(calls) == 2, "the second time with the token"
    listed = run_git("config", "--list", env={**calls[1], "GIT_CONFIG_GLOBAL": os.devnull}, cwd=tmp_path).decode()
    assert "http.proxy=http://proxy.example:3128" in listed
    assert listed.count("http.https://github.com/octo/calc.git.extraheader=") == 2


def test_token_is_not_sent_after_redirect(hub: Hub, store: PublishStore, remote: Repo):
    class RedirectHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", f"{hub.url}{self.path}")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), RedirectHandler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        with pytest.raises(SweAgentError):
            push(store, make_commit(store), "b", f"http://127.0.0.1:{server.server_port}/octo/calc.git", "t0ken")
        server.shutdown()
        thread.join()
    assert hub.requests == []
