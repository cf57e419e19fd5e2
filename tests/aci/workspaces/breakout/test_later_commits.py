"""Nothing newer than the base can be reached, by whatever git command and in whatever store."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import git

pytestmark = pytest.mark.slow


@pytest.fixture
def later(make_repo) -> tuple[Path, str, set[str]]:
    """A repository, a base in its middle, and the ids of all that came later or elsewhere."""
    repo = make_repo({"a.py": "x = 1\n"})
    (repo / "a.py").write_text("x = 2\n")
    git(repo, "commit", "-qam", "second")
    base = git(repo, "rev-parse", "HEAD")
    known = set(git(repo, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
    for number in range(3):
        (repo / "fix.py").write_text(f"the_fix = {number}\n")
        git(repo, "add", "-A")
        git(repo, "commit", "-qm", f"the fix {number}")
        git(repo, "tag", "-m", "a tag", f"v{number}")
        git(repo, "branch", f"b{number}")
    git(repo, "notes", "add", "-m", "a note")
    (repo / "a.py").write_text("stashed\n")
    git(repo, "stash")
    git(repo, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(repo, "remote", "add", "origin", str(repo))
    git(repo, "repack", "-adq")
    every = set(git(repo, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
    return repo, base, every - known


def test_no_object_is_later_than_base(kind, open_ws, later):
    repo, base, newer = later
    ws = open_ws(kind, repo, base)
    listing = "cat-file --batch-all-objects --unordered --batch-check='%(objectname)'"
    for store in ("--git-dir=.git", f"--git-dir={ws._host.store}"):
        there = set(ws.run(f"git {store} {listing}").text.split())
        assert there
        assert not there & newer, store
        told = ws.run(f"git {store} config --list; git {store} for-each-ref; git {store} reflog --all").text
        assert str(repo) not in told
        assert "the fix" not in told
    borrowed = ws.run(f"find .git {ws._host.store} -name alternates -size +0").text
    assert not borrowed or kind == "local"
    for name in ("v1", "b1", "origin/main", "stash", "refs/notes/commits", "HEAD@{1}", "FETCH_HEAD", "ORIG_HEAD"):
        assert ws.run(f"git rev-parse -q --verify '{name}'").code != 0, name
    assert ws.run("git log --all --format=%s").text.split() == ["second", "The", "first", "commit"]


def test_fork_has_no_more(kind, open_ws, later):
    repo, base, newer = later
    ws = open_ws(kind, repo, base)
    ws.write("b.py", b"mine\n")
    fork = ws.fork(ws.snapshot().tree)
    there = fork.run("git cat-file --batch-all-objects --batch-check='%(objectname)'").text.split()
    assert not set(there) & newer
    fork.close()
