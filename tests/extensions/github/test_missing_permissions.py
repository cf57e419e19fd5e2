"""Error messages for missing permissions and settings, in GitHub's terms."""

from __future__ import annotations

import pytest
from github import GithubException

from extensions.github.action_inputs import Rules
from extensions.github.api.github_client import translate_errors
from extensions.github.missing_permissions import explain_permission
from tests.extensions.github.publish_runner import BOT, RIGHTS, PublishRunner
from trajectories.errors import ConfigError, SweAgentError, UsageError


@pytest.mark.parametrize(
    ("bot", "rights", "fix"),
    [
        (BOT, {"contents": "read"}, "Add `contents: write` to `permissions:` of the workflow that calls swe-agent."),
        (BOT, {"pull_requests": "read"}, "Add `pull-requests: write` to `permissions:` of the workflow that calls"),
        ("x[bot]", {"contents": "read"}, "Give the App `contents: write`, and accept that in its installation"),
        ("x[bot]", {"pull_requests": "read"}, "Give the App `pull-requests: write`, and accept that"),
    ],
    ids=["contents", "pulls", "app contents", "app pulls"],
)
def test_missing_push_or_pull_request_permission_is_named(
    publisher: PublishRunner, monkeypatch: pytest.MonkeyPatch, bot: str, rights: dict[str, str], fix: str
) -> None:
    publisher.hub.token("publish", bot, permissions=RIGHTS | rights, app=True)
    monkeypatch.setenv("SWE_AGENT_GITHUB_BOT", bot)
    with pytest.raises(ConfigError) as error:
        publisher.run()
    assert error.value.fix.startswith(fix)
    assert error.value.fix.replace("`", "") in publisher.summary.read_text().replace("`", "")
    assert publisher.outputs["outcome"] == "error"


def test_missing_comment_permission_is_named(publisher: PublishRunner) -> None:
    publisher.hub.token("publish", BOT, permissions=RIGHTS | {"issues": "read"}, app=True)
    with pytest.raises(ConfigError) as error:
        publisher.run()
    assert error.value.fix == "Add `issues: write` to `permissions:` of the workflow that calls swe-agent."


@pytest.mark.slow
def test_setting_against_pull_requests_by_actions_is_named(publisher: PublishRunner) -> None:
    publisher.repo.actions_may_open_pulls = False
    with pytest.raises(ConfigError) as error:
        publisher.run()
    setting = (
        "Settings > Actions > General > Workflow permissions > Allow GitHub Actions to create and approve pull requests"
    )
    assert setting in error.value.fix
    assert "Allow GitHub Actions to create and approve pull requests" in publisher.bot_comments[0]
    assert "The patch is verified. The patch is `patch.diff`" in publisher.bot_comments[0]
    publisher.repo.actions_may_open_pulls = True
    assert publisher.run() == 0
    assert (len(publisher.repo.pulls), len(publisher.branches)) == (1, 2)


def test_archived_repository_is_reported(publisher: PublishRunner) -> None:
    publisher.repo.archived = True
    with pytest.raises(ConfigError) as error:
        publisher.run()
    assert error.value.fix.endswith("Unarchive this repository.")


def test_expired_token_is_reported(publisher: PublishRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ended")
    with pytest.raises(ConfigError) as error:
        publisher.run()
    assert "check the secret" in error.value.fix
    assert "ended" not in publisher.summary.read_text().split()


def test_ruleset_against_branch_is_reported(publisher: PublishRunner) -> None:
    publisher.repo.rulesets.add("swe-agent/*")
    with pytest.raises(ConfigError) as error:
        publisher.run()
    assert (
        error.value.fix
        == "Allow the branches `swe-agent/**` to be created: Settings > Rules > Rulesets, and Settings > Branches."
    )
    assert "Repository rule violations found" in publisher.bot_comments[0]


REFUSALS = [
    (403, "GitHub Actions is not permitted to create or approve pull requests.", "Workflow permissions > Allow GitHub"),
    (403, "Repository was archived so is read-only.", "Unarchive this repository."),
    (410, "Issues has been disabled in this repository.", "Settings > General > Features > Issues."),
    (410, "Issues are disabled for this repo", "Settings > General > Features > Issues."),
    (403, "Unable to create comment because issue is locked.", "Unlock the conversation"),
    (
        403,
        "Although you appear to have the correct authorization credentials, the `octo` organization has an IP allow "
        "list enabled, and your IP address is not permitted to access this resource.",
        "to its IP allow list.",
    ),
    (403, "This installation has been suspended", "Unsuspend the App's installation"),
    (401, "Bad credentials", "check the secret that holds it."),
    (403, "Resource not accessible by integration", "Add `issues: write` to `permissions:`"),
    (403, "Resource not accessible by personal access token", "Add `issues: write` to `permissions:`"),
]


@pytest.mark.parametrize(("status", "message", "fix"), REFUSALS, ids=[message[:20] for _, message, _ in REFUSALS])
def test_githubs_refusal_is_explained(status: int, message: str, fix: str) -> None:
    headers = {"X-Accepted-GitHub-Permissions": "issues=write; pull_requests=write"}
    with pytest.raises(SweAgentError) as error, translate_errors("comment on #1", "issues: write"):
        raise GithubException(status, {"message": message}, headers)
    assert fix in explain_permission(error.value, Rules()).fix


def test_other_errors_are_unchanged() -> None:
    error = UsageError("The archive is locked.", "Look at it.")
    assert explain_permission(error, Rules()) is error
