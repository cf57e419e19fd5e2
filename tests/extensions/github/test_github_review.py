"""A review on a pull request: one comment that is updated, remarks beside the code, hostile texts and comments."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.inputs.github_urls import Address, address_of
from agent.patch_checks.findings import Finding
from agent.patch_checks.review import Review
from agent.patch_checks.sarif import fingerprints
from extensions.github.github_review import MARK, NO_REMARKS, REMARK, Posted, check_postable, post_review, summary
from tests.conftest import git
from tests.e2e.conftest import write
from tests.github_server import Hub, Repo
from tests.github_server.threads import Pull
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError
from trajectories.verdict import Verdict

BOT = "github-actions[bot]"
VERIFIED = Verdict("verified", red=True, green=True, red_again=True, no_loss=True, generality="shown")
DEBUG = Finding("debug-output", "This looks like debug output: print(word)", "calc.py", 2)
FAR = Finding("rename", "a is renamed to b.", "calc.py", 400)

REFUSED = {
    "message": "Unprocessable Entity",
    "errors": ["Line could not be resolved"],
    "documentation_url": "https://x",
}


def review(*findings: Finding, verdict: Verdict = VERIFIED, first: tuple[str, ...] = ()) -> Review:
    return Review(verdict, verdict.headline, findings, first, {"calc.py": frozenset({1, 2})}, ("calc.py", 1))


class Project:
    """octo/calc with a pull request from `fix`, and who posts."""

    def __init__(self, hub: Hub, repo: Repo, folder: Path) -> None:
        self.hub, self.repo = hub, repo
        self.work = write(folder / "work", {"calc.py": "def f(word):\n    return word\n"})
        git(self.work, "init", "-q", "-b", "main")
        self.push("main")
        git(self.work, "checkout", "-qb", "fix")
        write(self.work, {"calc.py": "def f(word):\n    print(word)\n    return word\n"})
        self.push("fix")
        self.pull: Pull = repo.pull("fix", author="eve", title="<!-- swe-agent review --> @ada <b>x</b>", body=MARK)

    def push(self, branch: str, repo: Repo | None = None) -> None:
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "--allow-empty", "-m", "Change")
        git(self.work, "push", "-qf", str((repo or self.repo).git), branch)

    @property
    def address(self) -> Address:
        return address_of(self.pull.url)

    def post(self, what: Review, head: str = "") -> Posted:
        return post_review(self.address, head or self.pull.head_sha, what)

    @property
    def comments(self) -> list[str]:
        return [one.body for one in self.pull.comments if one.author.login == BOT]

    @property
    def remarks(self) -> list[tuple[str, int | None, str]]:
        return [(one.path, one.line, one.body) for one in self.pull.review]


@pytest.fixture
def project(hub: Hub, repo: Repo, sign_in: Callable[..., None], tmp_path: Path) -> Project:
    sign_in(BOT, pull_requests="write", contents="read")
    return Project(hub, repo, tmp_path)


def test_review_is_one_comment_and_remarks_on_lines_of_the_diff(project: Project) -> None:
    posted = project.post(review(DEBUG, FAR))
    assert (posted.url, posted.remarks) == (project.pull.comments[0].url, 1)
    (text,) = project.comments
    assert text.startswith(f"{MARK}\n**Verified: ")
    assert "`calc.py` line 400: a is renamed to b." in text
    assert "| It passes with the change | yes |" in text
    mark = REMARK.format(*fingerprints([DEBUG]))
    assert project.remarks == [("calc.py", 2, f"{mark}\n**Debug output.** This looks like debug output: print(word)")]
    assert [one["body"] for one in project.pull.reviews] == ["1 remark on this change."]


@pytest.mark.slow
def test_second_review_updates_the_comment_and_repeats_no_remark(project: Project) -> None:
    project.post(review(DEBUG))
    other = replace(DEBUG, text="This looks like debug output: print(other)")
    assert project.post(review(DEBUG, other)).remarks == 1
    assert len(project.comments) == 1
    assert len(project.remarks) == 2
    writes = len(project.hub.writes)
    assert project.post(review(DEBUG, other)).remarks == 0
    assert len(project.hub.writes) == writes, "nothing changed, so nothing is written"


def test_equal_findings_on_two_lines_are_two_remarks(project: Project) -> None:
    first = replace(DEBUG, line=1)
    assert project.post(review(first, DEBUG)).remarks == 2
    assert [line for _, line, _ in project.remarks] == [1, 2]
    assert project.post(review(first, DEBUG)).remarks == 0


def test_nothing_is_posted_where_there_is_nothing_to_say(project: Project) -> None:
    assert project.post(review()) == Posted()
    assert project.hub.writes == []


def test_earlier_comment_is_updated_when_nothing_is_left_to_say(project: Project) -> None:
    project.post(review(DEBUG))
    assert project.post(review()).url == project.pull.comments[0].url
    (text,) = project.comments
    assert text.startswith(f"{MARK}\n{NO_REMARKS}")
    assert "debug" not in text


def test_comment_of_somebody_else_with_the_mark_is_left_alone(project: Project) -> None:
    forged = project.pull.comment("eve", f"{MARK}\nVerified.")
    mark = REMARK.format(*fingerprints([DEBUG]))
    project.pull.review_comment("eve", f"{mark}\nAll right.", "calc.py", 2)
    posted = project.post(review(DEBUG))
    assert forged.body == f"{MARK}\nVerified."
    assert posted.url != forged.url
    assert posted.remarks == 1, "a forged remark does not keep ours away"


def test_own_comment_that_quotes_the_mark_is_not_taken(project: Project) -> None:
    quoting = project.pull.comment(BOT, f"> {MARK}\n")
    assert project.post(review(DEBUG)).url != quoting.url


def test_user_finds_own_comment(project: Project, sign_in: Callable[..., None]) -> None:
    sign_in("ada")
    project.repo.permissions["ada"] = "write"
    assert project.post(review(DEBUG)).url == project.post(review(FAR)).url


def test_hostile_texts_neither_mention_nor_hide_anything(project: Project) -> None:
    text = f"{MARK} @ada #1 <img src=x> ![x](http://x.y/z) fixes #1 ``` \u202e <details>"
    odd = Finding("proof-limit", text, "new\nline @ada`.py", 1)
    hostile = replace(DEBUG, text=text)
    project.post(review(hostile, odd, verdict=replace(VERIFIED, compared=text), first=(text,)))
    bodies = [*project.comments, *(body for _, _, body in project.remarks)]
    assert len(bodies) == 2
    for body in bodies:
        shown = body.partition("\n")[2]
        assert "\u202e" not in shown
        outside_code = re.sub(r"`[^`\n]*`", "", shown)
        assert not re.search(r"@ada|#1|://|(?<!\\)[<!]", outside_code)


def test_closed_pull_request_gets_nothing(project: Project) -> None:
    project.pull.close()
    with pytest.raises(UsageError, match="is closed"):
        check_postable(project.address)
    with pytest.raises(UsageError, match="nothing was posted"):
        project.post(review(DEBUG))
    assert project.hub.writes == []


def test_newer_commit_keeps_the_review_away(project: Project) -> None:
    with pytest.raises(TryLater, match="newer commit"):
        project.post(review(DEBUG), "0" * 40)
    assert project.hub.writes == []


def test_pull_request_of_a_fork_is_reviewed_in_the_target(project: Project, hub: Hub, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(project.repo.git), "fork.git")
    fork = hub.repo("eve/calc", git=tmp_path / "fork.git", fork_of=project.repo)
    project.push("fix", fork)
    project.pull = project.repo.pull("fix", author="eve", fork=fork, title="x")
    project.pull.publish_head()
    assert project.post(review(DEBUG)).remarks == 1
    assert all("/octo/calc/" in one.path for one in hub.writes)


def test_token_is_needed_and_a_missing_permission_is_named(
    project: Project, sign_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(BOT, pull_requests="read")
    with pytest.raises(ConfigError, match="comment") as raised:
        project.post(review(DEBUG))
    assert "pull-requests: write" in f"{raised.value.message} {raised.value.fix}"
    monkeypatch.delenv("GITHUB_TOKEN")
    with pytest.raises(ConfigError, match="--post needs a token"):
        check_postable(project.address)


def test_line_that_github_does_not_know_ends_in_a_sentence(project: Project) -> None:
    project.hub.fault("POST", r"/reviews$", status=422, body=REFUSED)
    with pytest.raises(SweAgentError) as raised:
        project.post(review(DEBUG))
    assert len(project.comments) == 1, "the comment has everything"
    assert "\n" not in raised.value.message


@pytest.mark.slow
def test_ten_thousand_findings_fit_into_one_comment(project: Project) -> None:
    many = [replace(DEBUG, text=f"{'x' * 900} {letter}{n}") for letter in "ab" for n in range(5000)]
    project.post(review(*many))
    assert len(project.comments[0]) <= 65_000
    assert len(json.dumps(project.remarks)) < 200_000
    assert "and 9990 more" in summary(review(*many))
