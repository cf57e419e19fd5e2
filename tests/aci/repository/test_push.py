"""A commit is made without a working tree and pushed without force, and the token is seen by nobody."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from aci.repository import push as pushing
from aci.repository.publish_store import PublishStore, open_publish_store
from aci.repository.push import BranchMoved, NotAllowed, RuleViolation, WorkflowScope, branch_tip, push
from aci.repository.user_repository import Repository
from tests.conftest import MakeRepo, git
from tests.github_server import Hub, Repo
from trajectories.errors import SweAgentError, TryLater, UsageError
from trajectories.git_commands import GitFailed

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
def there(hub: Hub, tmp_path: Path) -> Repo:
    """On the server: the same commit as in `box`."""
    git(tmp_path, "clone", "-q", "--bare", str(tmp_path / "repo1"), str(tmp_path / "there.git"))
    repo = hub.repo("octo/calc", git=tmp_path / "there.git")
    repo.permissions["ada"] = "write"
    return repo


@pytest.fixture
def box(make_repo: MakeRepo) -> Iterator[PublishStore]:
    root = make_repo({"a.txt": "one\n", "sub/b.txt": "b\n", ".gitattributes": "*.txt filter=evil text eol=crlf\n"})
    for name, program in (("filter.evil.clean", "false"), ("filter.evil.smudge", "false"), ("core.fsmonitor", "false")):
        git(root, "config", name, program)
    for hook in ("pre-push", "reference-transaction", "post-index-change"):
        (root / ".git/hooks").mkdir(exist_ok=True)
        file = root / ".git/hooks" / hook
        file.write_text(f"#!/bin/sh\ntouch {root.parent}/hooked\n")
        file.chmod(0o755)
    with open_publish_store(Repository.open(root)) as box:
        yield box


def head(box: PublishStore) -> str:
    return box.repository.commit()


def made(box: PublishStore, message: str = "Two\n") -> str:
    return box.commit(box.tree(head(box), DIFF), head(box), message, AT, ADA)


def test_commit_holds_patch_and_repository_stays_as_it_is(box: PublishStore):
    before = sorted(path for path in box.repository.git_dir.rglob("*"))
    commit = made(box)
    assert box.read(commit, "a.txt") == b"two\n"
    assert box.read(commit, "sub/b.txt") == b"b\n"
    assert box.read(commit, "none") is None
    assert [(change.path, change.status) for change in box.changes(head(box), commit)] == [("a.txt", "M")]
    assert sorted(path for path in box.repository.git_dir.rglob("*")) == before
    assert commit == made(box)
    with pytest.raises(GitFailed):
        box.repository._git("cat-file", "-e", commit)


def test_files_are_written_beside_patch(box: PublishStore):
    tree = box.write(box.tree(head(box), DIFF), {"sub/b.txt": b"c\n", "new/d.txt": b"d\n"})
    assert [(change.path, change.status) for change in box.changes(head(box), tree)] == [
        ("a.txt", "M"), ("new/d.txt", "A"), ("sub/b.txt", "M"),
    ]  # fmt: skip
    assert box.diff(head(box), tree).count("diff --git") == 3


@pytest.mark.parametrize(
    "diff",
    [
        DIFF.replace(b"-one", b"-three"),
        DIFF.replace(b"a/a.txt", b"a/../x").replace(b"b/a.txt", b"b/../x"),
        b"diff --git a/.git/x b/.git/x\nnew file mode 100644\n--- /dev/null\n+++ b/.git/x\n@@ -0,0 +1 @@\n+x\n",
        b"diff --git a/.GIT/x b/.GIT/x\nnew file mode 100644\n--- /dev/null\n+++ b/.GIT/x\n@@ -0,0 +1 @@\n+x\n",
        b"no diff\n",
    ],
    ids=["other", "above", "git", "GIT", "words"],
)
def test_what_does_not_fit_is_said(box: PublishStore, diff):
    with pytest.raises(UsageError, match="The patch does not apply"):
        box.tree(head(box), diff)


def test_new_branch_is_made_and_gone_on_with(hub: Hub, box: PublishStore, there: Repo):
    url, first = hub.clone_url(there), made(box)
    assert branch_tip(box, "swe-agent/issue-1", url, "t0ken") == ""
    push(box, first, "swe-agent/issue-1", url, "t0ken")
    assert (
        branch_tip(box, "swe-agent/issue-1", url, "t0ken") == first == git(there.git, "rev-parse", "swe-agent/issue-1")
    )
    second = box.commit(box.write(first, {"c": b"c"}), first, "Three", AT, ADA)
    push(box, second, "swe-agent/issue-1", url, "t0ken", new=False)
    assert git(there.git, "rev-parse", "swe-agent/issue-1") == second
    assert not (box.repository.root.parent / "hooked").exists()


@pytest.mark.parametrize("new", [True, False])
def test_nothing_is_forced(hub: Hub, box: PublishStore, there: Repo, new):
    url, commit = hub.clone_url(there), made(box)
    other = box.commit(box.write(head(box), {"x": b"x"}), head(box), "Other", AT, ADA)
    push(box, other, "b", url, "t0ken")
    with pytest.raises(BranchMoved, match=r"The branch b of 127.0.0.1/octo/calc has changed: nothing was pushed"):
        push(box, commit, "b", url, "t0ken", new=new)
    assert git(there.git, "rev-parse", "b") == other


def test_branch_of_somebody_elses_is_not_gone_on_with(hub: Hub, box: PublishStore, there: Repo):
    git(there.git, "branch", "b", head(box))
    with pytest.raises(BranchMoved):
        push(box, made(box), "b", hub.clone_url(there), "t0ken")
    assert git(there.git, "rev-parse", "b") == head(box)


def no_right(repo: Repo) -> None:
    repo.permissions["ada"] = "read"


def archived(repo: Repo) -> None:
    repo.archived = True


def private(repo: Repo) -> None:
    repo.permissions.clear()
    repo.private = True


def revoked(repo: Repo) -> None:
    repo.hub.tokens.clear()


def protected(repo: Repo) -> None:
    repo.protected.add("b")


@pytest.mark.parametrize(
    ("begin", "kind", "said"),
    [
        (no_right, NotAllowed, "127.0.0.1/octo/calc does not let you push: "),
        (archived, NotAllowed, "127.0.0.1/octo/calc does not let you push: "),
        (private, NotAllowed, "127.0.0.1/octo/calc does not let you push: "),
        (revoked, NotAllowed, "127.0.0.1/octo/calc does not let you push: "),
        (protected, RuleViolation, "A rule of 127.0.0.1/octo/calc forbids the branch b: "),
    ],
    ids=["right", "archived", "private", "revoked", "protected"],
)
def test_refusal_is_said_in_words(hub: Hub, box: PublishStore, there: Repo, begin, kind, said):
    begin(there)
    with pytest.raises(kind) as caught:
        push(box, made(box), "b", hub.clone_url(there), "t0ken")
    assert caught.value.message.startswith(said)
    assert "t0ken" not in f"{caught.value.message} {caught.value.fix}"
    assert caught.value.code == 3


def test_workflow_needs_right_of_its_own(hub: Hub, box: PublishStore, there: Repo):
    hub.token("t0ken", "ada", {"contents": "write"})
    tree = box.write(head(box), {".github/workflows/x.yml": b"on: push\n"})
    with pytest.raises(WorkflowScope, match=r"The token may not change workflows of 127.0.0.1/octo/calc"):
        push(box, box.commit(tree, head(box), "W", AT, ADA), "b", hub.clone_url(there), "t0ken")


def test_server_that_is_away_is_tried_later(box: PublishStore):
    with pytest.raises(TryLater, match=r"127.0.0.1/octo/calc could not be reached"):
        branch_tip(box, "b", "http://127.0.0.1:1/octo/calc.git", "t0ken")


@pytest.mark.parametrize("url", ["ext::sh -c 'touch hooked'", "file:///tmp/x.git", "/tmp/x.git", "git://127.0.0.1/x"])
def test_other_ways_than_https_and_ssh_are_closed(box: PublishStore, url):
    with pytest.raises(SweAgentError):
        push(box, made(box), "b", url)


@pytest.mark.parametrize("branch", ["-f", "a..b", "a b", "", "a:b", "+a", "x.lock", "a\n"])
def test_only_name_names_branch(hub: Hub, box: PublishStore, there: Repo, branch):
    with pytest.raises(UsageError):
        push(box, made(box), branch, hub.clone_url(there), "t0ken")
    assert git(there.git, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_token_is_in_no_argument_and_goes_to_its_address_only(
    hub: Hub, box: PublishStore, there: Repo, monkeypatch
):
    seen: list[tuple[tuple[str, ...], dict[str, str]]] = []
    run = pushing.git

    def watched(*args: str, env: dict[str, str], **more: object) -> bytes:
        seen.append((args, dict(env)))
        return run(*args, env=env, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(pushing, "git", watched)
    monkeypatch.setenv("GIT_TRACE_CURL", str(box.path / "trace"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'http.extraHeader=X: y'")
    push(box, made(box), "b", hub.clone_url(there), "t0ken")
    ((args, env),) = seen
    assert not [arg for arg in args if "t0ken" in arg]
    assert [name for name, value in env.items() if "t0ken" in value and name not in os.environ] == []
    assert not (box.path / "trace").exists()
    keys = [value for name, value in env.items() if name.startswith("GIT_CONFIG_KEY_")]
    assert [key for key in keys if "extraHeader" in key] == [f"http.{hub.clone_url(there)}.extraHeader"] * 2


def test_token_follows_no_redirect(hub: Hub, box: PublishStore, there: Repo):
    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", f"{hub.url}{self.path}")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        with pytest.raises(SweAgentError):
            push(box, made(box), "b", f"http://127.0.0.1:{server.server_port}/octo/calc.git", "t0ken")
        server.shutdown()
        thread.join()
    assert hub.requests == []
