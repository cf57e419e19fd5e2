"""A patch is judged by the tree it makes: what is refused leaves no branch, and a comment says why."""

from __future__ import annotations

import pytest

from tests.agent.github.attacks.attack_repository import GOOD, Done, Place, adds

LINK = adds("docs", ".github", "120000").replace(b".github\n", b".github\n\\ No newline at end of file\n")
RENAMED = (
    b"diff --git a/calc/text.py b/.github/workflows/text.yml\nsimilarity index 100%\n"
    b"rename from calc/text.py\nrename to .github/workflows/text.yml\n"
)
COPIED = RENAMED.replace(b"rename", b"copy")
MODE = b"diff --git a/calc/text.py b/calc/text.py\nold mode 100644\nnew mode 100755\n"
GITLINK = (
    b"diff --git a/lib b/lib\nnew file mode 160000\nindex 0000000..1234567\n--- /dev/null\n+++ b/lib\n"
    b"@@ -0,0 +1 @@\n+Subproject commit 1234567890123456789012345678901234567890\n"
)
BINARY = (
    b"diff --git a/calc/x.bin b/calc/x.bin\nnew file mode 100644\nindex 0000000..f76dd23\n"
    b"GIT binary patch\nliteral 3\nKcmZQzWMT#Y01f~L\n\nliteral 0\nHcmV?d00001\n\n"
)
NUL = adds("calc/data.py", "a\0b\n")
QUOTED = (
    adds("PATH")
    .replace(b"a/PATH", b'"a/.github/workflows/\\303\\251.yml"')
    .replace(b"b/PATH", b'"b/.github/workflows/\\303\\251.yml"')
)
QUOTED_OCTAL = (
    adds("PATH")
    .replace(b"a/PATH", b'"a/\\056github/workflows/x.yml"')
    .replace(b"b/PATH", b'"b/\\056github/workflows/x.yml"')
)
NEWLINE = adds("PATH").replace(b"a/PATH", b'"a/x\\ny.py"').replace(b"b/PATH", b'"b/x\\ny.py"')
ESCAPE = adds("PATH").replace(b"a/PATH", b'"a/x\\033[2Jy.py"').replace(b"b/PATH", b'"b/x\\033[2Jy.py"')
TWICE = GOOD + adds(".github/workflows/x.yml")
SECRET = "sk-proj-" + "aB3dE5gH7jK9mN1pQ3sT5vW7" * 2

REFUSED = {
    "workflow": adds(".github/workflows/ci.yml", "on: push\n"),
    "workflow beside a fix": TWICE,
    "workflow by rename": RENAMED,
    "workflow by copy": COPIED,
    "workflow by case": adds(".GitHub/workflows/ci.yml"),
    "workflow by case of all": adds(".GITHUB/WORKFLOWS/ci.yml"),
    "workflow by a linked folder": LINK + adds("docs/workflows/ci.yml"),
    "workflow by a quoted name": QUOTED,
    "workflow by an octal name": QUOTED_OCTAL,
    "workflow by CR": adds(".github/workflows/ci.yml\r"),
    "workflow by CRLF": adds(".github/workflows/ci.yml").replace(b"\n", b"\r\n"),
    "workflow by a dot": adds("./.github/workflows/ci.yml"),
    "workflow by two slashes": adds(".github//workflows/ci.yml"),
    "workflow by HFS": adds(".git\u200chub/workflows/ci.yml"),
    "workflow by a trailing dot": adds(".github./workflows/ci.yml"),
    "dependabot": adds(".github/dependabot.yml"),
    "code owners": adds(".github/CODEOWNERS", "* @mallory\n"),
    "a local action": adds(".github/actions/x/action.yml"),
    "GitLab": adds(".gitlab-ci.yml"),
    "CircleCI": adds(".circleci/config.yml"),
    "Azure": adds("azure-pipelines.yml"),
    "Jenkins": adds("Jenkinsfile"),
    "Travis": adds(".travis.yml"),
    "traversal": adds("../outside.py"),
    "traversal inside": adds("calc/../../outside.py"),
    "git config": adds(".git/config", "[core]\n\tfsmonitor = id\n"),
    "git hook": adds(".git/hooks/pre-push", "#!/bin/sh\nid\n", "100755"),
    "git by case": adds(".GIT/config"),
    "git by HFS": adds(".g\u200cit/config"),
    "git by NTFS": adds("git~1/config"),
    "git deeper": adds("calc/.git/config"),
    "gitlink": GITLINK,
    "submodule": adds(".gitmodules", '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c id\n') + GITLINK,
    "modules alone": adds(".gitmodules", '[submodule "x"]\n\tpath = x\n\turl = https://evil.example\n'),
    "link": adds("calc/link", "/etc/passwd", "120000"),
    "link inside": adds("calc/link", "core.py", "120000"),
    "mode": MODE,
    "executable": adds("run.sh", "#!/bin/sh\n", "100755"),
    "huge": adds("calc/huge.py", "x = 1\n" * 200_000),
    "one long line": adds("calc/huge.py", "x" * 1_000_000),
    "many files": b"".join(adds(f"calc/many/{number}.py") for number in range(3000)),
    "binary": BINARY,
    "binary by NUL": NUL,
    "newline in a name": NEWLINE,
    "escape in a name": ESCAPE,
    "bidi in a name": adds("calc/\u202ecod.py"),
    "names that differ in case": adds("CALC/core.py"),
    "a key": adds("calc/key.py", f'KEY = "{SECRET}"\n'),
    "no patch of this base": GOOD.replace(b"return a - b", b"return a * b"),
    "no patch at all": b"rm -rf /\n",
    "a mail with a header": b"From 1 Mon Sep 17 00:00:00 2001\nFrom: ada <ada@x>\nSubject: x\n---\n" + TWICE,
}


def stopped(place: Place, done: Done) -> str:
    """Nothing pushed, no pull request; the comment that says so agrees with the outputs. What the comment says."""
    assert "Traceback" not in done.said
    assert place.refs == {"refs/heads/main"}
    assert list(place.repo.pulls) == []
    assert not done.outputs.get("pull")
    said = place.said_by_bot(place.issues[0])
    assert said, "the issue says what happened"
    assert "verified" not in done.outputs.get("outcome", "")
    return said.lower()


@pytest.mark.parametrize("diff", REFUSED.values(), ids=[name.replace(" ", "-") for name in REFUSED])
def test_patch_that_is_refused(place: Place, diff: bytes) -> None:
    """Stopped by what the tree holds that was not in the base's, or by git, which takes no such patch."""
    stopped(place, place.publish(diff=diff))


def test_patch_beyond_owners_limit(place: Place) -> None:
    """Stopped by `max-patch`."""
    place.rules(max_patch=100)
    assert "100" in stopped(place, place.publish(diff=GOOD))


def test_patch_that_is_fine(place: Place) -> None:
    """The other side: the same way, and it is a draft."""
    done = place.publish()
    assert done.code == 0, done.said
    (pull,) = place.repo.pulls
    assert pull.draft
    assert pull.head == "swe-agent/issue-1"
    assert done.outputs["pull"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["setup.py", "conftest.py", "package.json", "Makefile", ".pre-commit-config.yaml", "sitecustomize.py", "tox.ini"],
)
def test_what_runs_on_install_is_named_first(place: Place, path: str) -> None:
    """Not stopped, since fixes need them: such a file stands in the text before all else."""
    place.publish(diff=GOOD + adds(path, "{}\n"))
    pulls = list(place.repo.pulls)
    if not pulls:  # refused is stricter, and fine
        return
    body = pulls[0].body
    assert path in body
    assert body.index(path) < body.index("core.py") if "core.py" in body else True


def test_branch_that_is_there(place: Place) -> None:
    """Stopped by pushing without force, to a name that is free."""
    from tests.conftest import git

    git(place.repo.git, "branch", "swe-agent/issue-1", "main")
    place.publish()
    assert git(place.repo.git, "rev-parse", "swe-agent/issue-1") == place.base
    assert {pull.head for pull in place.repo.pulls} == {"swe-agent/issue-1-2"}


@pytest.mark.parametrize(
    "branch",
    [
        *("main", "refs/heads/main", "-x", "--force", "+swe-agent/issue-1", "swe-agent/issue-1:main", ":main"),
        *("swe-agent/a..b", "swe-agent/@{-1}", "swe-agent/x.lock", "swe-agent/../main", "heads/main", "@"),
        *("swe-agent/*", "swe-agent/a b", "swe-agent/a\nb", "refs/tags/v1", "SWE-AGENT/issue-1", "swe-agent/"),
    ],
    ids=range(19),
)
def test_follow_up_to_branch_that_is_not_ours(place: Place, branch: str) -> None:
    """Stopped by the name: one commit goes to a branch of the Action's own, and fast-forward."""
    pull = place.pull(author="mallory")
    before = place.refs, place.base
    done = place.publish(place.errand(kind="follow-up", number=pull.number, branch=branch, request="go on"))
    assert "Traceback" not in done.said
    assert (place.refs, place.base) == before


def test_follow_up_to_branch_that_moved(place: Place) -> None:
    """Stopped by fast-forward only: what a person pushed meanwhile stays."""
    from tests.conftest import git

    pull = place.pull()
    folder = place.checkout()
    start = place.base
    git(folder, "commit", "-q", "--allow-empty", "-m", "A person's work")
    git(folder, "push", "-q", str(place.repo.git), "HEAD:refs/heads/swe-agent/issue-1")
    theirs = git(folder, "rev-parse", "HEAD")
    errand = place.errand(kind="follow-up", number=pull.number, branch="swe-agent/issue-1", base=start, request="go on")
    place.publish(errand)
    assert git(place.repo.git, "rev-parse", "swe-agent/issue-1") == theirs
    assert place.refs == {"refs/heads/main", "refs/heads/swe-agent/issue-1"}
