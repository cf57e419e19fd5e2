"""`fix --issue URL --pr`: from an issue on a server to exactly one draft pull request."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.cli.shared_options import check_delivery
from tests.conftest import git
from tests.extensions.github.terminal_user import EDIT, SUBMIT, SUMMARY, TOKEN, TerminalUser, create_user
from tests.github_server import Hub, server
from tests.sampling import sample
from trajectories.errors import UsageError
from trajectories.journal import read

pytestmark = pytest.mark.slow

BODY = f"Fixes #1.\n\n{SUMMARY}\n\n**Plausible:** `tests.test_calc.CalcTest.test_add` fails without this change, passes"


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TerminalUser]:
    """A user whose issue is solved once; the tests repeat only the steps that leave the machine."""
    folder = tmp_path_factory.mktemp("terminal")
    with Hub(folder) as hub, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("SWE_AGENT_CONFIG", str(folder / "config.toml"))
        monkeypatch.setenv("SWE_AGENT_CACHE", str(folder / "cache"))
        user = create_user(folder, hub, monkeypatch)
        user.first_result = user.fix()  # type: ignore[attr-defined]
        user.opened_pulls = list(user.pulls)  # type: ignore[attr-defined]
        user.save_solved_run()
        yield user


@pytest.fixture
def user(terminal: TerminalUser) -> TerminalUser:
    terminal.reset()
    return terminal


@pytest.mark.slow
def test_accepted_patch_becomes_draft_pull_request(terminal: TerminalUser):
    result, (pull,) = terminal.first_result, terminal.opened_pulls  # type: ignore[attr-defined]
    assert (result["exit"], result["pull"]) == (0, pull.url)
    assert (pull.draft, pull.title, pull.head, pull.base) == (
        True,
        "Add instead of subtracting",
        "swe-agent/issue-1",
        "main",
    )
    assert pull.body.startswith(BODY)
    assert git(terminal.clone, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert git(terminal.clone, "status", "--porcelain") == ""


def test_commit_contains_patch_and_names_user_and_model(user: TerminalUser):
    user.resume()
    commit = user.git("show", "--format=%an|%cn|%B", "--stat=80", "swe-agent/issue-1")
    assert commit.startswith("Ada|Ada|Add instead of subtracting\n\n`add` subtracted its second argument.")
    assert "Generated-by: swe-agent (scripted)" in commit
    assert "Signed-off-by" not in commit
    assert "2 files changed" in commit
    assert user.git("rev-parse", "swe-agent/issue-1^") == user.base


@pytest.mark.slow
def test_token_is_not_stored_on_disk(user: TerminalUser):
    user.resume()
    files = [path for folder in (user.state, user.clone) for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


@pytest.mark.slow
def test_unproven_patch_is_published_only_on_request(user: TerminalUser):
    result = user.fix(EDIT, SUBMIT)
    assert result["exit"] == 6
    assert user.pulls == []
    assert "pull" not in result
    assert "because the patch is unproven" in result["effects"][0]
    journal = (user.runs[-1] / "journal.jsonl").read_text()
    assert f"because the patch is unproven. To open one anyway: swe-agent resume {result['run']} --pr." in journal
    assert user.resume()["exit"] == 6
    assert user.pulls == []
    for _ in range(2):
        result = user.resume(pr=True)
        (pull,) = user.pulls
        assert (result["exit"], result["pull"]) == (6, pull.url)
    assert "**Unproven:** No test shows the issue." in pull.body


def test_user_without_push_access_uses_their_fork(user: TerminalUser):
    bare = user.folder / "fork.git"
    if not bare.exists():
        git(user.folder, "clone", "-q", "--bare", str(user.repo.git), str(bare))
        user.hub.repo("ada/calc", git=bare, fork_of=user.repo)
    user.repo.permissions["ada"] = "read"
    git(user.clone, "remote", "add", "mine", f"{user.hub.url}/ada/calc.git")
    result = user.resume()
    (pull,) = user.pulls
    assert result["pull"] == pull.url
    assert pull.head_repo.full_name == "ada/calc"
    assert user.branches() == ["main"]
    assert git(bare, "rev-parse", "swe-agent/issue-1^") == user.base


def test_existing_branch_is_not_overwritten(user: TerminalUser):
    user.git("update-ref", "refs/heads/swe-agent/issue-1", user.base)
    user.resume()
    assert [pull.head for pull in user.pulls] == ["swe-agent/issue-1-2"]
    assert user.git("rev-parse", "swe-agent/issue-1") == user.base


def test_renamed_repository_is_found(user: TerminalUser):
    user.repo.rename("sums")
    try:
        result = user.resume()
    finally:
        user.repo.rename("calc")
    assert result["exit"] == 0
    assert "/octo/sums/pull/" in result["pull"]
    assert len(user.pulls) == 1


def test_invalid_setting_is_reported_and_run_can_be_resumed(user: TerminalUser, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_GITHUB_MAX_PATCH", "many")
    result = user.resume()
    assert (result["exit"], result["error"]["fix"]) == (3, "Correct SWE_AGENT_GITHUB_MAX_PATCH.")
    monkeypatch.delenv("SWE_AGENT_GITHUB_MAX_PATCH")
    assert user.resume()["exit"] == 0


def test_ordinary_pull_request_is_opened_without_draft_support(user: TerminalUser):
    errors = [{"resource": "PullRequest", "code": "custom", "message": "Draft pull requests are not supported here."}]
    body = {"message": "Validation Failed", "errors": errors}
    user.hub.fault("POST", r"/pulls$", status=422, body={**body, "documentation_url": "https://docs.github.com"})
    user.resume()
    assert [pull.draft for pull in user.pulls] == [False]
    assert (
        "does not support drafts, so the pull request is an ordinary" in (user.runs[-1] / "journal.jsonl").read_text()
    )


def test_refused_push_is_reported_and_run_can_be_resumed(user: TerminalUser):
    user.hub.token(TOKEN, "ada", {"contents": "read", "pull_requests": "write", "metadata": "read"})
    result = user.resume()
    user.hub.token(TOKEN, "ada")
    assert result["exit"] == 3
    assert (
        "Pushing needs `contents: write`, on GitLab" in result["error"]["fix"]
        or "You have no push access" in result["error"]["message"]
    )
    assert user.pulls == []
    assert user.resume()["exit"] == 0
    assert len(user.pulls) == 1


def test_pushed_branch_is_reused_on_resume(user: TerminalUser):
    user.hub.fault("POST", r"/pulls$", status=502)
    result = user.resume()
    assert result["exit"] == 75
    assert user.branches() == ["main", "swe-agent/issue-1"]
    assert user.resume()["exit"] == 0
    assert user.branches() == ["main", "swe-agent/issue-1"]
    assert len(user.pulls) == 1


FORM = "<!-- Thanks! -->\n## What\nSay it.\n\nFixes #\n\n## Checklist\n- [x] Signed\n"
CHANGES = "# Changelog\n\n## Unreleased\n\n- Words are loud.\n\n## 1.0\n\n- First.\n"


@pytest.mark.slow
def test_template_and_changelog_are_followed(user: TerminalUser):
    base = user.push_to_main((".github/PULL_REQUEST_TEMPLATE.md", FORM), ("CHANGELOG.md", CHANGES), title="Docs")
    result = user.fix(base=base)
    (pull,) = user.pulls
    assert result["exit"] == 0
    text = f"## What\n\n{SUMMARY}\n\nFixes #1.\n\n## Checklist\n\n- [ ] Signed\n\n---\n\n**Plausible:**"
    assert pull.body.startswith(text)
    assert "CHANGELOG" not in result["patch"]
    changed = user.git("show", f"{pull.head}:CHANGELOG.md")
    assert changed == CHANGES.replace("loud.\n", "loud.\n- Add instead of subtracting.\n").strip()


def no_token(user: TerminalUser, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    patch.setenv("GITHUB_TOKEN", "")
    patch.delenv("GH_TOKEN", raising=False)


def no_remote(user: TerminalUser, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    git(user.clone, "remote", "set-url", "origin", "https://example.org/octo/calc.git")
    flags["repo_mismatch_ok"] = True


def no_push_url(user: TerminalUser, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    git(user.clone, "remote", "rename", "origin", "upstream")
    git(user.clone, "remote", "set-url", "--push", "upstream", "no_push")


def no_push_access(user: TerminalUser, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    user.repo.permissions["ada"] = "read"


def not_pushed(user: TerminalUser, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    git(user.clone, "commit", "-q", "--allow-empty", "-m", "Mine")


def archived(user: TerminalUser, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    user.repo.archived = True


def policy(user: TerminalUser, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    flags["base"] = user.push_to_main(("AI_POLICY.md", "We do not accept AI-generated contributions.\n"))


@pytest.mark.parametrize(
    ("prepare", "code", "message", "fix"),
    [
        (no_token, 3, "Opening a pull request requires a token.", "`contents: write` and `pull-requests: write`"),
        (no_remote, 2, "is octo/calc or a fork of it.", "git remote add upstream"),
        (no_push_url, 2, "is octo/calc or a fork of it.", "git remote add github "),
        (
            no_push_access,
            3,
            "You have no push access to octo/calc, and no remote is a fork of it with push access.",
            "gh repo fork octo/calc",
        ),
        (not_pushed, 2, "is not on the branch main of octo/calc.", "fetch origin and start with --base origin/main"),
        (archived, 2, "octo/calc is archived and accepts no pull requests.", "--branch"),
        (policy, 2, "octo/calc does not accept this pull request. AI_POLICY.md says: We do not accept AI", "--branch"),
    ],
    ids=["token", "remote", "no push", "right", "base", "archived", "policy"],
)
def test_obstacles_are_reported_before_run_starts(user: TerminalUser, monkeypatch, prepare, code, message, fix):
    flags: dict[str, Any] = {}
    runs = user.runs
    prepare(user, flags, monkeypatch)
    monkeypatch.setenv("SWE_AGENT_PR", "1")  # as with the flag
    for pr in (True, False):
        result = user.fix(**flags, pr=pr)
        assert result["exit"] == code
        assert message in result["error"]["message"]
        assert fix in result["error"]["fix"]
        assert user.runs == runs
        assert not user.hub.writes


@pytest.mark.slow
def test_uncommitted_changes_are_not_published(user: TerminalUser, monkeypatch):
    (user.clone / "calc.py").write_text((user.clone / "calc.py").read_text() + "\n# Mine\n")
    try:
        assert user.fix(EDIT, SUBMIT, pr=False)["exit"] == 6
        result = user.resume(pr=True)
        assert (result["exit"], result["error"]["message"]) == (2, "This run started with uncommitted changes.")
        monkeypatch.setenv("SWE_AGENT_PR", "1")
        result = user.fix(EDIT, SUBMIT, pr=False)
    finally:
        git(user.clone, "checkout", "-q", "--", ".")
    assert (result["exit"], read(Path(result["directory"])).run.base.changes) == (6, 0)


def test_refused_patch_is_reported_each_time_but_recorded_once(user: TerminalUser, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_GITHUB_MAX_PATCH", "10")
    result = user.resume()
    assert (result["exit"], user.pulls) == (0, [])
    (effect,) = result["effects"]
    assert effect.startswith("No pull request was opened: ")
    for _ in range(2):
        result = user.resume(pr=True)
        assert (result["exit"], result["effects"]) == (2, [effect])
        assert result["error"]["message"].startswith("No pull request can be opened: ")


@pytest.mark.slow
def test_file_that_git_includes_is_not_published(user: TerminalUser):
    git(user.clone, "config", "include.path", "../tools.cfg")
    try:
        user.fix(("edit", {"path": "tools.cfg", "old": "", "new": "[core]\n"}), SUBMIT)
        result = user.resume(pr=True)
    finally:
        git(user.clone, "config", "--unset", "include.path")
    assert (result["exit"], user.pulls) == (2, [])
    assert result["error"]["message"].endswith("opened: `tools.cfg`: git reads its configuration from it.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((True, None, True, "url"), "--apply and --pr were both given."),
        ((False, "b", True, "url"), "--branch and --pr were both given."),
        ((True, "b", True, "url"), "--apply and --branch and --pr were all given."),
        ((False, None, True, ""), "--pr needs an issue on GitHub or GitLab: the request goes to its repository."),
    ],
    ids=["apply", "branch", "all", "no issue"],
)
def test_patch_has_one_destination(options, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        check_delivery(*options)


@pytest.mark.slow
def test_run_killed_at_any_request_opens_one_pull_request(user: TerminalUser, monkeypatch):
    user.resume()
    moments = [(at, when) for at in range(1, len(user.hub.requests) + 1) for when in ("before", "after")]
    for moment in [*sample(moments[:-1], 2), moments[-1]]:
        user.reset()
        assert _resume_and_kill(user, monkeypatch, *moment) == -signal.SIGKILL, moment
        result = user.resume()
        assert result["exit"] == 0, moment
        assert [result["pull"]] == [pull.url for pull in user.pulls], moment
        assert [pull.head for pull in user.pulls] == ["swe-agent/issue-1"], moment


def _resume_and_kill(user: TerminalUser, monkeypatch: pytest.MonkeyPatch, at: int, when: str) -> int:
    """Resume the run in a process that dies at request number `at`, before or after it is processed."""
    process: list[subprocess.Popen[bytes]] = []
    request_count = 0

    def die(handler: Any, moment: str) -> None:
        nonlocal request_count
        request_count += when == moment
        if request_count == at and when == moment:
            process[0].kill()
            process[0].wait()

    read, send = server._Handler._data, server._Handler._send
    with monkeypatch.context() as patch:
        patch.setattr(server._Handler, "_data", lambda self: (die(self, "before"), read(self))[1])
        patch.setattr(server._Handler, "_send", lambda self, answer: (die(self, "after"), send(self, answer))[1])
        command = [sys.executable, "-c", "from swe_agent import main; main()", "resume", user.runs[-1].name]
        env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        process.append(
            subprocess.Popen(command, env=env, cwd=Path(__file__).parents[4], stdout=subprocess.DEVNULL, stderr=-3)
        )
        return process[0].wait(60)
