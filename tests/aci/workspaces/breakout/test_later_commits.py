"""Commits newer than the base: no git command and no store may reach them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import git

pytestmark = pytest.mark.slow


@pytest.fixture
def later_objects(make_repo) -> tuple[Path, str, set[str]]:
    """A repository, a base in its middle, and the ids of all later or unrelated objects."""
    repo = make_repo({"a.py": "x = 1\n"})
    (repo / "a.py").write_text("x = 2\n")
    git(repo, "commit", "-qam", "second")
    base = git(repo, "rev-parse", "HEAD")
    earlier = set(git(repo, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
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
    all_objects = set(git(repo, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split())
    return repo, base, all_objects - earlier


def test_workspace_has_no_object_later_than_base(kind, open_ws, later_objects):
    repo, base, newer = later_objects
    ws = open_ws(kind, repo, base)
    listing = "cat-file --batch-all-objects --unordered --batch-check='%(objectname)'"
    for store in ("--git-dir=.git", f"--git-dir={ws._host.store}"):
        objects = set(ws.run(f"git {store} {listing}").text.split())
        assert objects
        assert not objects & newer, store
        output = ws.run(f"git {store} config --list; git {store} for-each-ref; git {store} reflog --all").text
        assert str(repo) not in output
        assert "the fix" not in output
    alternates = ws.run(f"find .git {ws._host.store} -name alternates -size +0").text
    assert not alternates or kind != "docker"  # of the base's objects only, as listed above
    for name in ("v1", "b1", "origin/main", "stash", "refs/notes/commits", "HEAD@{1}", "FETCH_HEAD", "ORIG_HEAD"):
        assert ws.run(f"git rev-parse -q --verify '{name}'").code != 0, name
    assert ws.run("git log --all --format=%s").text.split() == ["second", "The", "first", "commit"]


def test_fork_has_no_object_later_than_base(kind, open_ws, later_objects):
    repo, base, newer = later_objects
    ws = open_ws(kind, repo, base)
    ws.write("b.py", b"mine\n")
    fork = ws.fork(ws.snapshot().tree)
    objects = fork.run("git cat-file --batch-all-objects --batch-check='%(objectname)'").text.split()
    assert not set(objects) & newer
    fork.close()
