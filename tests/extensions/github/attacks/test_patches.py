"""Malicious patches: the resulting tree is checked; refusal leaves no branch and a comment with the reason."""

from __future__ import annotations

import pytest

from tests.extensions.github.attacks.attack_repository import GOOD_DIFF, AttackTarget, JobResult, new_file_diff

LINK = new_file_diff("docs", ".github", "120000").replace(b".github\n", b".github\n\\ No newline at end of file\n")
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
NUL = new_file_diff("calc/data.py", "a\0b\n")
QUOTED = (
    new_file_diff("PATH")
    .replace(b"a/PATH", b'"a/.github/workflows/\\303\\251.yml"')
    .replace(b"b/PATH", b'"b/.github/workflows/\\303\\251.yml"')
)
QUOTED_OCTAL = (
    new_file_diff("PATH")
    .replace(b"a/PATH", b'"a/\\056github/workflows/x.yml"')
    .replace(b"b/PATH", b'"b/\\056github/workflows/x.yml"')
)
NEWLINE = new_file_diff("PATH").replace(b"a/PATH", b'"a/x\\ny.py"').replace(b"b/PATH", b'"b/x\\ny.py"')
ESCAPE = new_file_diff("PATH").replace(b"a/PATH", b'"a/x\\033[2Jy.py"').replace(b"b/PATH", b'"b/x\\033[2Jy.py"')
TWICE = GOOD_DIFF + new_file_diff(".github/workflows/x.yml")
SECRET = "sk-proj-" + "aB3dE5gH7jK9mN1pQ3sT5vW7" * 2

REFUSED = {
    "workflow": new_file_diff(".github/workflows/ci.yml", "on: push\n"),
    "workflow beside a fix": TWICE,
    "workflow by rename": RENAMED,
    "workflow by copy": COPIED,
    "workflow by case": new_file_diff(".GitHub/workflows/ci.yml"),
    "workflow by case of all": new_file_diff(".GITHUB/WORKFLOWS/ci.yml"),
    "workflow by a linked folder": LINK + new_file_diff("docs/workflows/ci.yml"),
    "workflow by a quoted name": QUOTED,
    "workflow by an octal name": QUOTED_OCTAL,
    "workflow by CR": new_file_diff(".github/workflows/ci.yml\r"),
    "workflow by CRLF": new_file_diff(".github/workflows/ci.yml").replace(b"\n", b"\r\n"),
    "workflow by a dot": new_file_diff("./.github/workflows/ci.yml"),
    "workflow by two slashes": new_file_diff(".github//workflows/ci.yml"),
    "workflow by HFS": new_file_diff(".git\u200chub/workflows/ci.yml"),
    "workflow by a trailing dot": new_file_diff(".github./workflows/ci.yml"),
    "dependabot": new_file_diff(".github/dependabot.yml"),
    "code owners": new_file_diff(".github/CODEOWNERS", "* @mallory\n"),
    "a local action": new_file_diff(".github/actions/x/action.yml"),
    "GitLab": new_file_diff(".gitlab-ci.yml"),
    "CircleCI": new_file_diff(".circleci/config.yml"),
    "Azure": new_file_diff("azure-pipelines.yml"),
    "Jenkins": new_file_diff("Jenkinsfile"),
    "Travis": new_file_diff(".travis.yml"),
    "traversal": new_file_diff("../outside.py"),
    "traversal inside": new_file_diff("calc/../../outside.py"),
    "git config": new_file_diff(".git/config", "[core]\n\tfsmonitor = id\n"),
    "git hook": new_file_diff(".git/hooks/pre-push", "#!/bin/sh\nid\n", "100755"),
    "git by case": new_file_diff(".GIT/config"),
    "git by HFS": new_file_diff(".g\u200cit/config"),
    "git by NTFS": new_file_diff("git~1/config"),
    "git deeper": new_file_diff("calc/.git/config"),
    "gitlink": GITLINK,
    "submodule": new_file_diff(".gitmodules", '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c id\n') + GITLINK,
    "modules alone": new_file_diff(".gitmodules", '[submodule "x"]\n\tpath = x\n\turl = https://evil.example\n'),
    "link": new_file_diff("calc/link", "/etc/passwd", "120000"),
    "link inside": new_file_diff("calc/link", "core.py", "120000"),
    "mode": MODE,
    "executable": new_file_diff("run.sh", "#!/bin/sh\n", "100755"),
    "huge": new_file_diff("calc/huge.py", "x = 1\n" * 200_000),
    "one long line": new_file_diff("calc/huge.py", "x" * 1_000_000),
    "many files": b"".join(new_file_diff(f"calc/many/{number}.py") for number in range(3000)),
    "binary": BINARY,
    "binary by NUL": NUL,
    "newline in a name": NEWLINE,
    "escape in a name": ESCAPE,
    "bidi in a name": new_file_diff("calc/\u202ecod.py"),
    "names that differ in case": new_file_diff("CALC/core.py"),
    "a key": new_file_diff("calc/key.py", f'KEY = "{SECRET}"\n'),
    "no patch of this base": GOOD_DIFF.replace(b"return a - b", b"return a * b"),
    "no patch at all": b"rm -rf /\n",
    "a mail with a header": b"From 1 Mon Sep 17 00:00:00 2001\nFrom: ada <ada@x>\nSubject: x\n---\n" + TWICE,
}


def check_refused(target: AttackTarget, result: JobResult) -> str:
    """Check that nothing was published and the comment agrees with the outputs. Return the comment."""
    assert "Traceback" not in result.log
    assert target.refs == {"refs/heads/main"}
    assert list(target.repo.pulls) == []
    assert not result.outputs.get("pull")
    comment = target.bot_comments(target.issues[0])
    assert comment, "the issue got no comment"
    assert "verified" not in result.outputs.get("outcome", "")
    return comment.lower()


@pytest.mark.parametrize("diff", REFUSED.values(), ids=[name.replace(" ", "-") for name in REFUSED])
def test_malicious_patch_is_refused(target: AttackTarget, diff: bytes) -> None:
    """The check finds entries of the tree that were not in the base, or git does not accept the patch."""
    check_refused(target, target.publish(diff=diff))


def test_patch_beyond_owners_limit_is_refused(target: AttackTarget) -> None:
    """`max-patch` limits the size."""
    target.set_rules(max_patch=100)
    assert "100" in check_refused(target, target.publish(diff=GOOD_DIFF))


def test_valid_patch_becomes_draft(target: AttackTarget) -> None:
    """The counterpart: the same path ends in a draft pull request."""
    result = target.publish()
    assert result.code == 0, result.log
    (pull,) = target.repo.pulls
    assert pull.draft
    assert pull.head == "swe-agent/issue-1"
    assert result.outputs["pull"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    ["setup.py", "conftest.py", "package.json", "Makefile", ".pre-commit-config.yaml", "sitecustomize.py", "tox.ini"],
)
def test_files_that_run_on_install_are_listed_first(target: AttackTarget, path: str) -> None:
    """Fixes may need such files, so they are not refused but listed before all others."""
    target.publish(diff=GOOD_DIFF + new_file_diff(path, "{}\n"))
    pulls = list(target.repo.pulls)
    if not pulls:  # refusing the patch is stricter, which is fine
        return
    body = pulls[0].body
    assert path in body
    assert body.index(path) < body.index("core.py") if "core.py" in body else True


@pytest.mark.slow
def test_existing_branch_is_not_overwritten(target: AttackTarget) -> None:
    """The push is not forced and uses a free name."""
    from tests.conftest import git

    git(target.repo.git, "branch", "swe-agent/issue-1", "main")
    target.publish()
    assert git(target.repo.git, "rev-parse", "swe-agent/issue-1") == target.base
    assert {pull.head for pull in target.repo.pulls} == {"swe-agent/issue-1-2"}


@pytest.mark.parametrize(
    "branch",
    [
        *("main", "refs/heads/main", "-x", "--force", "+swe-agent/issue-1", "swe-agent/issue-1:main", ":main"),
        *("swe-agent/a..b", "swe-agent/@{-1}", "swe-agent/x.lock", "swe-agent/../main", "heads/main", "@"),
        *("swe-agent/*", "swe-agent/a b", "swe-agent/a\nb", "refs/tags/v1", "SWE-AGENT/issue-1", "swe-agent/"),
    ],
    ids=range(19),
)
def test_follow_up_goes_only_to_actions_own_branches(target: AttackTarget, branch: str) -> None:
    """A follow-up is one fast-forward commit on a branch of the Action."""
    pull = target.pull(author="mallory")
    before = target.refs, target.base
    result = target.publish(target.task(kind="follow-up", number=pull.number, branch=branch, request="go on"))
    assert "Traceback" not in result.log
    assert (target.refs, target.base) == before


def test_follow_up_to_branch_with_new_commits_is_not_pushed(target: AttackTarget) -> None:
    """The push must be a fast-forward, so commits made meanwhile stay."""
    from tests.conftest import git

    pull = target.pull()
    folder = target.checkout()
    start = target.base
    git(folder, "commit", "-q", "--allow-empty", "-m", "A person's work")
    git(folder, "push", "-q", str(target.repo.git), "HEAD:refs/heads/swe-agent/issue-1")
    new_commit = git(folder, "rev-parse", "HEAD")
    task = target.task(kind="follow-up", number=pull.number, branch="swe-agent/issue-1", base=start, request="go on")
    target.publish(task)
    assert git(target.repo.git, "rev-parse", "swe-agent/issue-1") == new_commit
    assert target.refs == {"refs/heads/main", "refs/heads/swe-agent/issue-1"}
