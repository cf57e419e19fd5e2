"""`fix --issue URL --pr`: from an issue on a server to a draft pull request there, once."""

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
from tests.agent.github.terminal_user import EDIT, SUBMIT, SUMMARY, TOKEN, Person, begun
from tests.conftest import git
from tests.github_server import Hub, server
from tests.sampling import sample
from trajectories.errors import UsageError
from trajectories.journal import read

pytestmark = pytest.mark.slow

BODY = f"Fixes #1.\n\n{SUMMARY}\n\n**Proof:** `tests.test_calc.CalcTest.test_add` fails without this change, passes"


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Where the issue was solved once: what leaves the machine is tried again and again."""
    folder = tmp_path_factory.mktemp("terminal")
    with Hub(folder) as hub, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("SWE_AGENT_CONFIG", str(folder / "config.toml"))
        monkeypatch.setenv("SWE_AGENT_CACHE", str(folder / "cache"))
        person = begun(folder, hub, monkeypatch)
        person.first = person.fix()  # type: ignore[attr-defined]
        person.opened = list(person.pulls)  # type: ignore[attr-defined]
        person.keep_solved()
        yield person


@pytest.fixture
def person(terminal: Person) -> Person:
    terminal.begin_anew()
    return terminal


@pytest.mark.slow
def test_verified_patch_becomes_draft_pull_request(terminal: Person):
    told, (pull,) = terminal.first, terminal.opened  # type: ignore[attr-defined]
    assert (told["exit"], told["pull"]) == (0, pull.url)
    assert (pull.draft, pull.title, pull.head, pull.base) == (
        True,
        "Add instead of subtracting",
        "swe-agent/issue-1",
        "main",
    )
    assert pull.body.startswith(BODY)
    assert git(terminal.clone, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert git(terminal.clone, "status", "--porcelain") == ""


def test_commit_is_of_patch_and_names_who_made_it(person: Person):
    person.resume()
    made = person.git("show", "--format=%an|%cn|%B", "--stat=80", "swe-agent/issue-1")
    assert made.startswith("Ada|Ada|Add instead of subtracting\n\n`add` subtracted its second argument.")
    assert "Generated-by: swe-agent (scripted)" in made
    assert "Signed-off-by" not in made
    assert "2 files changed" in made
    assert person.git("rev-parse", "swe-agent/issue-1^") == person.base


@pytest.mark.slow
def test_token_is_nowhere_on_disk(person: Person):
    person.resume()
    files = [path for folder in (person.state, person.clone) for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


@pytest.mark.slow
def test_what_is_not_proven_is_kept_back_until_it_is_asked_for(person: Person):
    told = person.fix(EDIT, SUBMIT)
    assert told["exit"] == 6
    assert person.pulls == []
    assert "pull" not in told
    assert "because the patch is not proven" in told["effects"][0]
    journal = (person.runs[-1] / "journal.jsonl").read_text()
    assert f"because the patch is not proven. To open one anyway: swe-agent resume {told['run']} --pr." in journal
    assert person.resume()["exit"] == 6
    assert person.pulls == []
    for _ in range(2):
        told = person.resume(pr=True)
        (pull,) = person.pulls
        assert (told["exit"], told["pull"]) == (6, pull.url)
    assert "**Not proven:** No test shows the issue." in pull.body


def test_who_may_not_push_uses_their_fork(person: Person):
    bare = person.folder / "fork.git"
    if not bare.exists():
        git(person.folder, "clone", "-q", "--bare", str(person.repo.git), str(bare))
        person.hub.repo("ada/calc", git=bare, fork_of=person.repo)
    person.repo.permissions["ada"] = "read"
    git(person.clone, "remote", "add", "mine", f"{person.hub.url}/ada/calc.git")
    told = person.resume()
    (pull,) = person.pulls
    assert told["pull"] == pull.url
    assert pull.head_repo.full_name == "ada/calc"
    assert person.branches() == ["main"]
    assert git(bare, "rev-parse", "swe-agent/issue-1^") == person.base


def test_name_that_is_taken_is_left_to_who_has_it(person: Person):
    person.git("update-ref", "refs/heads/swe-agent/issue-1", person.base)
    person.resume()
    assert [pull.head for pull in person.pulls] == ["swe-agent/issue-1-2"]
    assert person.git("rev-parse", "swe-agent/issue-1") == person.base


def test_repository_that_was_renamed_is_found(person: Person):
    person.repo.rename("sums")
    try:
        told = person.resume()
    finally:
        person.repo.rename("calc")
    assert told["exit"] == 0
    assert "/octo/sums/pull/" in told["pull"]
    assert len(person.pulls) == 1


def test_rule_that_is_none_is_said_and_run_goes_on_later(person: Person, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_GITHUB_MAX_PATCH", "many")
    told = person.resume()
    assert (told["exit"], told["error"]["fix"]) == (3, "Correct SWE_AGENT_GITHUB_MAX_PATCH.")
    monkeypatch.delenv("SWE_AGENT_GITHUB_MAX_PATCH")
    assert person.resume()["exit"] == 0


def test_without_drafts_it_is_ordinary_one_and_said(person: Person):
    errors = [{"resource": "PullRequest", "code": "custom", "message": "Draft pull requests are not supported here."}]
    body = {"message": "Validation Failed", "errors": errors}
    person.hub.fault("POST", r"/pulls$", status=422, body={**body, "documentation_url": "https://docs.github.com"})
    person.resume()
    assert [pull.draft for pull in person.pulls] == [False]
    assert "does not support drafts: it is an ordinary" in (person.runs[-1] / "journal.jsonl").read_text()


def test_push_that_is_refused_leaves_run_to_go_on_with(person: Person):
    person.hub.token(TOKEN, "ada", {"contents": "read", "pull_requests": "write", "metadata": "read"})
    told = person.resume()
    person.hub.token(TOKEN, "ada")
    assert told["exit"] == 3
    assert "Pushing needs `contents: write`" in told["error"]["fix"] or "You may not push" in told["error"]["message"]
    assert person.pulls == []
    assert person.resume()["exit"] == 0
    assert len(person.pulls) == 1


def test_branch_that_began_to_be_pushed_is_not_pushed_twice(person: Person):
    person.hub.fault("POST", r"/pulls$", status=502)
    told = person.resume()
    assert told["exit"] == 75
    assert person.branches() == ["main", "swe-agent/issue-1"]
    assert person.resume()["exit"] == 0
    assert person.branches() == ["main", "swe-agent/issue-1"]
    assert len(person.pulls) == 1


FORM = "<!-- Thanks! -->\n## What\nSay it.\n\nFixes #\n\n## Checklist\n- [x] Signed\n"
CHANGES = "# Changelog\n\n## Unreleased\n\n- Words are loud.\n\n## 1.0\n\n- First.\n"


@pytest.mark.slow
def test_template_and_changelog_are_kept_to(person: Person):
    base = person.publish((".github/PULL_REQUEST_TEMPLATE.md", FORM), ("CHANGELOG.md", CHANGES), title="Docs")
    told = person.fix(base=base)
    (pull,) = person.pulls
    assert told["exit"] == 0
    text = f"## What\n\n{SUMMARY}\n\nFixes #1.\n\n## Checklist\n\n- [ ] Signed\n\n---\n\n**Proof:**"
    assert pull.body.startswith(text)
    assert "CHANGELOG" not in told["patch"]
    changed = person.git("show", f"{pull.head}:CHANGELOG.md")
    assert changed == CHANGES.replace("loud.\n", "loud.\n- Add instead of subtracting.\n").strip()


def no_token(person: Person, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    patch.setenv("GITHUB_TOKEN", "")
    patch.delenv("GH_TOKEN", raising=False)


def no_remote(person: Person, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    git(person.clone, "remote", "set-url", "origin", "https://example.org/octo/calc.git")
    flags["repo_mismatch_ok"] = True


def none_to_push_to(person: Person, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    git(person.clone, "remote", "rename", "origin", "upstream")
    git(person.clone, "remote", "set-url", "--push", "upstream", "no_push")


def no_right(person: Person, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    person.repo.permissions["ada"] = "read"


def not_pushed(person: Person, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    git(person.clone, "commit", "-q", "--allow-empty", "-m", "Mine")


def archived(person: Person, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    person.repo.archived = True


def policy(person: Person, flags: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
    flags["base"] = person.publish(("AI_POLICY.md", "We do not accept AI-generated contributions.\n"))


@pytest.mark.parametrize(
    ("begin", "code", "said", "fix"),
    [
        (no_token, 3, "Opening a pull request requires a token.", "`contents: write` and `pull-requests: write`"),
        (no_remote, 2, "is octo/calc or a fork of it.", "git remote add upstream"),
        (none_to_push_to, 2, "is octo/calc or a fork of it.", "git remote add github "),
        (
            no_right,
            3,
            "You may not push to octo/calc, and no remote is a fork of it that you may push to.",
            "gh repo fork octo/calc",
        ),
        (not_pushed, 2, "is not on the branch main of octo/calc.", "fetch origin and start with --base origin/main"),
        (archived, 2, "octo/calc is archived and accepts no pull requests.", "--branch"),
        (policy, 2, "octo/calc does not accept this pull request. AI_POLICY.md says: We do not accept AI", "--branch"),
    ],
    ids=["token", "remote", "no push", "right", "base", "archived", "policy"],
)
def test_what_would_stop_it_is_said_before_anything_is_spent(person: Person, monkeypatch, begin, code, said, fix):
    flags: dict[str, Any] = {}
    runs = person.runs
    begin(person, flags, monkeypatch)
    monkeypatch.setenv("SWE_AGENT_PR", "1")  # as with the flag
    for pr in (True, False):
        told = person.fix(**flags, pr=pr)
        assert told["exit"] == code
        assert said in told["error"]["message"]
        assert fix in told["error"]["fix"]
        assert person.runs == runs
        assert not person.hub.writes


@pytest.mark.slow
def test_what_was_not_committed_is_in_no_pull_request(person: Person, monkeypatch):
    (person.clone / "calc.py").write_text((person.clone / "calc.py").read_text() + "\n# Mine\n")
    try:
        assert person.fix(EDIT, SUBMIT, pr=False)["exit"] == 6
        told = person.resume(pr=True)
        assert (told["exit"], told["error"]["message"]) == (2, "This run started with uncommitted changes.")
        monkeypatch.setenv("SWE_AGENT_PR", "1")
        told = person.fix(EDIT, SUBMIT, pr=False)
    finally:
        git(person.clone, "checkout", "-q", "--", ".")
    assert (told["exit"], read(Path(told["directory"])).run.base.changes) == (6, 0)


def test_patch_that_may_not_be_published_is_told_each_time_and_noted_once(person: Person, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_GITHUB_MAX_PATCH", "10")
    told = person.resume()
    assert (told["exit"], person.pulls) == (0, [])
    (effect,) = told["effects"]
    assert effect.startswith("No pull request was opened: ")
    for _ in range(2):
        told = person.resume(pr=True)
        assert (told["exit"], told["effects"]) == (2, [effect])
        assert told["error"]["message"].startswith("No pull request can be opened: ")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((True, None, True, "url"), "--apply and --pr were both given."),
        ((False, "b", True, "url"), "--branch and --pr were both given."),
        ((True, "b", True, "url"), "--apply and --branch and --pr were all given."),
        ((False, None, True, ""), "--pr needs an issue on GitHub: the pull request goes to its repository."),
    ],
    ids=["apply", "branch", "all", "no issue"],
)
def test_patch_goes_to_one_place(given, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        check_delivery(*given)


@pytest.mark.slow
def test_killed_at_any_request_there_is_one_pull_request(person: Person, monkeypatch):
    person.resume()
    moments = [(at, when) for at in range(1, len(person.hub.requests) + 1) for when in ("before", "after")]
    for moment in [*sample(moments[:-1], 2), moments[-1]]:
        person.begin_anew()
        assert _killed(person, monkeypatch, *moment) == -signal.SIGKILL, moment
        told = person.resume()
        assert told["exit"] == 0, moment
        assert [told["pull"]] == [pull.url for pull in person.pulls], moment
        assert [pull.head for pull in person.pulls] == ["swe-agent/issue-1"], moment


def _killed(person: Person, monkeypatch: pytest.MonkeyPatch, at: int, when: str) -> int:
    """Go on with the run in a process of its own, which dies at that request: before it is acted on, or after."""
    process: list[subprocess.Popen[bytes]] = []
    heard = 0

    def die(handler: Any, here: str) -> None:
        nonlocal heard
        heard += when == here
        if heard == at and when == here:
            process[0].kill()
            process[0].wait()

    read, send = server._Handler._data, server._Handler._send
    with monkeypatch.context() as patch:
        patch.setattr(server._Handler, "_data", lambda self: (die(self, "before"), read(self))[1])
        patch.setattr(server._Handler, "_send", lambda self, given: (die(self, "after"), send(self, given))[1])
        command = [sys.executable, "-c", "from swe_agent import main; main()", "resume", person.runs[-1].name]
        env = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        process.append(
            subprocess.Popen(command, env=env, cwd=Path(__file__).parents[4], stdout=subprocess.DEVNULL, stderr=-3)
        )
        return process[0].wait(60)
