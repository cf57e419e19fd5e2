"""The publish job: a verified result becomes one pull request, anything else a comment that gives the reason."""

from __future__ import annotations

import re
from typing import Any

import pytest

from extensions.github.action import status_comment
from extensions.github.action.publish_job import publish
from extensions.github.action.spend_record import Charge
from extensions.github.action_inputs import own_repository
from extensions.github.api.github_client import repository
from extensions.github.task import task_request
from tests.conftest import git
from tests.extensions.github.publish_runner import (
    BOT,
    DIFF,
    RESULT,
    RIGHTS,
    SETUP,
    UNPROVEN,
    VERIFIED,
    WORKFLOW,
    PublishRunner,
)
from trajectories.errors import TryLater, UsageError


def test_verified_fix_becomes_draft(publisher: PublishRunner) -> None:
    assert publisher.run() == 0
    (pull,) = publisher.repo.pulls
    assert (pull.draft, pull.head, pull.base, pull.author.login) == (True, "swe-agent/issue-1", "main", BOT)
    assert pull.title == "Add instead of subtracting"
    assert "Fixes #1" in str(pull.body)
    assert "*Approve workflows to run*" in str(pull.body)
    assert git(publisher.repo.git, "rev-parse", "swe-agent/issue-1^") == publisher.base
    assert "return a + b" in git(publisher.repo.git, "show", "swe-agent/issue-1:core.py")
    assert git(publisher.repo.git, "log", "-1", "--format=%an %cn", "swe-agent/issue-1") == f"{BOT} {BOT}"
    assert publisher.outputs == {"outcome": "pull", "pull": "2"}
    (comment,) = publisher.bot_comments
    assert "#2 is a draft with a patch that is verified: Add instead of subtracting." in comment
    assert "$0.25" in comment
    assert f"{publisher.hub.url}/octo/calc/actions/runs/77" in comment
    assert comment.endswith("Requested by ada.")
    assert comment.endswith(publisher.summary.read_text().strip())


@pytest.mark.slow
def test_pull_request_of_app_needs_no_approval_of_workflows(
    publisher: PublishRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.hub.token("publish", "fixer[bot]", permissions=RIGHTS, app=True)
    monkeypatch.setenv("SWE_AGENT_GITHUB_BOT", "fixer[bot]")
    publisher.run()
    (pull,) = publisher.repo.pulls
    assert "Approve" not in f"{pull.body}{publisher.summary.read_text()}"
    assert git(publisher.repo.git, "log", "-1", "--format=%an", pull.head) == "fixer[bot]"


@pytest.mark.slow
def test_files_that_run_automatically_are_listed_first(publisher: PublishRunner) -> None:
    publisher.run(DIFF + SETUP)
    body = str(publisher.repo.pulls[0].body)
    assert body.index("`setup.py`") < body.index("`core.py`")
    assert "runs or is read on install" in body


def test_patch_of_workflows_is_refused(publisher: PublishRunner) -> None:
    assert publisher.run(DIFF + WORKFLOW) == 0
    assert (publisher.branches, publisher.repo.pulls) == (["main"], [])
    assert publisher.outputs == {"outcome": "refused", "pull": ""}
    (comment,) = publisher.bot_comments
    assert "`.github/workflows/x.yml`: it configures what CI runs." in comment
    assert "gh run download 77 -R octo/calc -n swe-agent-handover" in comment


def test_patch_that_does_not_apply_is_refused(publisher: PublishRunner) -> None:
    publisher.run(DIFF.replace(b"return a - b", b"return a * b"))
    assert publisher.branches == ["main"]
    assert "does not apply" in publisher.bot_comments[0]


def test_unproven_patch_becomes_comment(publisher: PublishRunner) -> None:
    assert publisher.run(exit=6) == 0
    assert (publisher.branches, publisher.outputs["outcome"]) == (["main"], "unproven")
    (comment,) = publisher.bot_comments
    assert "There is a patch, but it is unproven, so it is not published" in comment
    assert "The sign was wrong. add() adds now." in comment
    assert "It hangs." in comment
    assert f"tar -xf handover.tar patch.diff\ngit checkout {publisher.base[:12]}\npython -m pytest" in comment


@pytest.mark.slow
def test_unproven_patch_becomes_draft_if_configured(publisher: PublishRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_GITHUB_OPEN_UNPROVEN", "true")
    publisher.run(exit=6)
    assert "**Unproven:**" in str(publisher.repo.pulls[0].body)
    assert "#2 is a draft with a patch that is unproven:" in publisher.bot_comments[0]


def test_comment_without_fix_lists_places_and_attempts(publisher: PublishRunner) -> None:
    client = {"path": "core.py", "line": 1, "name": "add", "why": "named in the issue"}
    error = {"code": 1, "message": "The model repeated itself.", "fix": "Try another model."}
    details: dict[str, Any] = {"places": (client,), "tried": ("Changed core.py: its test still fails.",)}
    assert publisher.run(b"", exit=1, red_test=SETUP.decode(), result={"error": error}, **details) == 0
    (comment,) = publisher.bot_comments
    assert "No fix was found. The model repeated itself.\n" in comment
    assert "- `core.py:1` `add`: named in the issue" in comment
    assert "- Changed core.py: its test still fails." in comment
    assert "```diff\ndiff --git a/setup.py" in comment
    assert "swe-agent-handover" not in comment
    assert publisher.outputs["outcome"] == "none"


def test_used_up_budget_is_reported(publisher: PublishRunner) -> None:
    publisher.run(DIFF, exit=4)
    assert "The budget ran out before a fix was found;" in publisher.bot_comments[0]
    assert (
        "The unfinished changes are not a fix. The patch is `patch.diff` in `handover.tar`" in publisher.bot_comments[0]
    )
    assert (publisher.outputs["outcome"], publisher.branches) == ("budget", ["main"])


@pytest.mark.parametrize(("code", "fix"), [(3, "Set OPENAI_API_KEY."), (5, "Start Docker."), (75, "Try again later.")])
def test_error_is_reported_with_its_fix(publisher: PublishRunner, code: int, fix: str) -> None:
    assert publisher.run(b"", exit=code, result={"error": {"code": code, "message": "It broke.", "fix": fix}}) == 0
    assert f"The run failed: It broke. {fix}".replace("_", "") in publisher.bot_comments[0].replace("_", "").replace(
        "`", ""
    )
    assert publisher.outputs["outcome"] == "error"


def test_missing_result_is_reported_with_link_to_run(publisher: PublishRunner) -> None:
    assert publisher.run(None) == 0
    assert "ended without a result" in publisher.bot_comments[0]
    assert "actions/runs/77" in publisher.bot_comments[0]
    assert publisher.outputs["outcome"] == "died"


# Changes since the task was written


def test_unreadable_result_file_fails_job(publisher: PublishRunner) -> None:
    """The job fails, so that it can be run again."""
    digest = task_request.write(publisher.task(), publisher.folder / "errand.json")
    with pytest.raises(UsageError, match="cannot be read"):
        publish(publisher.folder / "errand.json", digest, publisher.folder / "none.tar", "0" * 64, publisher.checkout)
    assert "cannot be read" in publisher.bot_comments[0]


def test_task_with_wrong_digest_is_refused(publisher: PublishRunner) -> None:
    publisher.run(None)
    before = publisher.write_requests()
    with pytest.raises(UsageError, match="not the file that the gate wrote"):
        publish(publisher.folder / "errand.json", "0" * 64, None, "", publisher.checkout)
    assert publisher.write_requests() == before


def test_task_of_another_repository_is_refused(publisher: PublishRunner) -> None:
    with pytest.raises(UsageError, match="is for octo/other"):
        publisher.run(task=publisher.task(repository="octo/other"))
    assert publisher.write_requests() == []


def test_replaced_result_file_is_not_published(publisher: PublishRunner) -> None:
    task = publisher.task()
    digest = task_request.write(task, publisher.folder / "errand.json")
    (publisher.folder / "handover.tar").write_bytes(b"x")
    with pytest.raises(UsageError, match="not the file that the solve job wrote"):
        publish(
            publisher.folder / "errand.json", digest, publisher.folder / "handover.tar", "0" * 64, publisher.checkout
        )
    assert "not the file that the solve job wrote" in publisher.bot_comments[0]
    assert (publisher.outputs, publisher.branches) == ({"outcome": "error", "pull": ""}, ["main"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"errand": "0" * 64}, "another task"),
        ({"base": "0" * 40}, "another task"),
        ({"verdict": UNPROVEN}, "is inconsistent"),
        ({"diff": b""}, "is inconsistent"),
        ({"exit": 6, "verdict": VERIFIED}, "is inconsistent"),
    ],
    ids=["errand", "base", "verdict", "nothing", "exit"],
)
def test_inconsistent_result_file_is_not_published(
    publisher: PublishRunner, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        publisher.run(**changes)
    assert message in publisher.bot_comments[0]
    assert publisher.branches == ["main"]


def test_texts_of_model_mention_no_one_and_link_nothing(publisher: PublishRunner) -> None:
    hostile = "cc @octocat fixes #99 <!-- hidden --> ![x](https://evil.example/x.png)"
    publisher.run(exit=6, title=hostile, cause=hostile, change=hostile, tried=(hostile,), attempts=(hostile,))
    (comment,) = publisher.bot_comments
    assert "The agent found text that tries to give it instructions" in comment
    prose = re.sub(r"`[^`]*`", "", comment.partition("-->")[2])
    assert not re.search(r"@octocat|#99|<!--|!\[|https://evil", prose)


@pytest.mark.slow
def test_keys_in_texts_of_model_are_not_published(publisher: PublishRunner) -> None:
    key = "ghp_" + "a1B2" * 9
    publisher.run(title=f"Add {key}", cause=f"It was {key}.", change=f"It is {key}.")
    message = git(publisher.repo.git, "log", "-1", "--format=%B", "swe-agent/issue-1")
    pull = publisher.repo.pulls[0]
    assert key not in f"{message}{pull.title}{pull.body}{publisher.bot_comments}{publisher.summary.read_text()}"


@pytest.mark.slow
def test_policy_of_project_is_linked(publisher: PublishRunner) -> None:
    publisher.run(task=publisher.task(policies=("https://example.org/AI_POLICY.md",)))
    assert "The project's policy on AI: https://example.org/AI_POLICY.md" in str(publisher.repo.pulls[0].body)


@pytest.mark.slow
def test_changelog_entry_follows_existing_format(publisher: PublishRunner) -> None:
    text = "# Changelog\n\n## Unreleased\n\n### Fixed\n\n- One thing.\n\n## 1.0\n\n### Fixed\n\n- Another.\n"
    publisher.base = publisher.push("main", {"CHANGELOG.md": text})
    publisher.run()
    assert "Add instead of subtracting" in git(publisher.repo.git, "show", "swe-agent/issue-1:CHANGELOG.md")
    assert "The entry in `CHANGELOG.md` was not part of the proof." in str(publisher.repo.pulls[0].body)


@pytest.mark.slow
def test_missing_changelog_entry_is_listed_for_review(publisher: PublishRunner) -> None:
    publisher.base = publisher.push("main", {"CHANGES.rst": "Changes\n=======\n\n1.0\n---\n\n- First.\n"})
    publisher.run()
    assert "**Look first at**\n- `CHANGES.rst` has no entry for this change.\n- `core.py`" in str(
        publisher.repo.pulls[0].body
    )


@pytest.mark.slow
def test_pull_request_is_opened_by_second_run_after_crash(publisher: PublishRunner) -> None:
    publisher.hub.fault("POST", r"/pulls$", status=502, times=1)
    with pytest.raises(TryLater):
        publisher.run()
    assert (publisher.branches, publisher.repo.pulls) == (["main", "swe-agent/issue-1"], [])
    assert "Try again" in publisher.bot_comments[0]
    assert publisher.run() == 0
    assert (publisher.branches, len(publisher.repo.pulls), len(publisher.bot_comments)) == (
        ["main", "swe-agent/issue-1"],
        1,
        1,
    )
    assert "#2 is a draft" in publisher.bot_comments[0]


@pytest.mark.slow
def test_comment_is_written_by_second_run_after_crash(publisher: PublishRunner) -> None:
    publisher.hub.fault("POST", r"/comments$", status=502, times=1)
    with pytest.raises(TryLater):
        publisher.run()
    assert publisher.run() == 0
    assert (len(publisher.branches), len(publisher.repo.pulls), len(publisher.bot_comments)) == (2, 1, 1)
    assert publisher.outputs == {"outcome": "pull", "pull": "2"}


@pytest.mark.slow
def test_rerun_of_workflow_opens_no_second_pull_request(publisher: PublishRunner) -> None:
    publisher.run()
    publisher.run(DIFF.replace(b"a + b", b"b + a"))
    assert (len(publisher.branches), len(publisher.repo.pulls)) == (2, 1)
    assert (
        "A pull request for #1 is open: #2. So nothing was pushed. The patch is verified." in publisher.bot_comments[0]
    )
    assert publisher.outputs == {"outcome": "skipped", "pull": ""}


def test_pull_request_of_someone_else_prevents_push(publisher: PublishRunner) -> None:
    publisher.push("topic", {"core.py": "x = 1\n"})
    publisher.repo.pull("topic", "main", author="bob", title="Add", body="Closes #1")
    publisher.run()
    assert "A pull request for #1 is open: #2." in publisher.bot_comments[0]
    assert "swe-agent/issue-1" not in publisher.branches


def test_closed_issue_prevents_push(publisher: PublishRunner) -> None:
    publisher.issue.close()
    publisher.run()
    assert "#1 was closed meanwhile. So nothing was pushed." in publisher.bot_comments[0]
    assert publisher.branches == ["main"]


@pytest.mark.slow
def test_closed_pull_request_with_same_patch_is_not_reopened(publisher: PublishRunner) -> None:
    publisher.run()
    publisher.repo.pulls[0].close(None)
    publisher.run()
    assert "#2 with the same patch was closed." in publisher.bot_comments[0]
    assert len(publisher.repo.pulls) == 1


@pytest.mark.slow
def test_new_request_opens_new_pull_request_after_closed_one(publisher: PublishRunner) -> None:
    publisher.run()
    publisher.repo.pulls[0].close(None)
    git(publisher.repo.git, "branch", "-D", "swe-agent/issue-1")
    publisher.run(task=publisher.task(at="2026-01-03T04:00:00Z"))
    assert [pull.state for pull in publisher.repo.pulls] == ["closed", "open"]
    assert "#3 is a draft" in publisher.bot_comments[0]


@pytest.mark.slow
def test_shallow_checkout_is_enough(publisher: PublishRunner) -> None:
    publisher.base = publisher.push("main", {"x.py": "x = 1\n"})
    shallow = publisher.folder / "shallow"
    git(publisher.folder, "clone", "-q", "--depth=1", f"file://{publisher.repo.git}", str(shallow))
    publisher.push("main", {"x.py": "x = 2\n"})
    publisher.checkout = shallow
    publisher.run()
    assert git(publisher.repo.git, "rev-parse", f"{publisher.repo.pulls[0].head}^") == publisher.base


def test_existing_branch_is_not_overwritten(publisher: PublishRunner) -> None:
    existing = publisher.push("swe-agent/issue-1", {"x.py": "x = 1\n"})
    publisher.run()
    assert git(publisher.repo.git, "rev-parse", "swe-agent/issue-1") == existing
    assert publisher.repo.pulls[0].head == "swe-agent/issue-1-2"


@pytest.mark.slow
@pytest.mark.parametrize(("files", "applies"), [({"README.md": "# Calculator\n"}, True), ({"core.py": "x\n"}, False)])
def test_pull_request_mentions_conflicting_new_commits(
    publisher: PublishRunner, files: dict[str, str], applies: bool
) -> None:
    publisher.push("main", files)
    publisher.run()
    assert ("`main` has new commits meanwhile" not in str(publisher.repo.pulls[0].body)) is applies
    assert git(publisher.repo.git, "rev-parse", "swe-agent/issue-1^") == publisher.base


def test_dry_run_writes_nothing(publisher: PublishRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_GITHUB_DRY_RUN", "true")
    assert publisher.run() == 0
    assert publisher.write_requests() == []
    summary = publisher.summary.read_text()
    assert "This would be a draft pull request." in summary
    assert "**Verified:**" in summary
    publisher.run(exit=6)
    assert "unproven" in publisher.summary.read_text()
    assert publisher.write_requests() == []


@pytest.mark.slow
def test_reservation_is_settled(publisher: PublishRunner) -> None:
    client = repository(own_repository())
    reserved = status_comment.hold(
        client, status_comment.StatusComment(1), "Working on it.", Charge("77", "2026-01-02T04:00:00Z", 2.0)
    )
    publisher.run(None)
    assert status_comment.find(client, 1, BOT).charges == reserved.charges
    publisher.run()
    (charge,) = status_comment.find(client, 1, BOT).charges
    assert (charge.spent, charge.pull, charge.journal) == (0.25, 2, True)
    publisher.run(b"", exit=1, result={"usage": {**RESULT["usage"], "dollars": None}})
    assert status_comment.find(client, 1, BOT).charges[0].spent == 2.0
    assert len(publisher.bot_comments) == 1


def test_implausible_cost_is_limited(publisher: PublishRunner) -> None:
    client = repository(own_repository())
    status_comment.hold(
        client, status_comment.StatusComment(1), "Working on it.", Charge("77", "2026-01-02T04:00:00Z", 2.0)
    )
    publisher.run(b"", exit=1, result={"usage": {**RESULT["usage"], "dollars": 1e308}})
    assert status_comment.find(client, 1, BOT).charges[0].spent == 10.0


def test_long_comment_is_shortened_between_lines(publisher: PublishRunner) -> None:
    """Within a line, a name could end up outside its code span."""
    client = repository(own_repository())
    status_comment.update_comment(
        client, status_comment.StatusComment(1), "\n".join(["`@victim-org/everybody` and more"] * 3_000)
    )
    (comment,) = publisher.bot_comments
    assert len(comment) <= 65_000
    assert comment.endswith("`@victim-org/everybody` and more\n\n(The rest was too long.)")
