"""Which permission or setting is missing is said in GitHub's own terms, in the comment and as the job's error."""

from __future__ import annotations

import pytest
from github import GithubException

from agent.github.api.action_inputs import Rules
from agent.github.api.github_client import translate_errors
from agent.github.api.missing_permissions import explain_permission
from tests.agent.github.publish_runner import BOT, RIGHTS, World
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
def test_right_that_is_missing_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, bot: str, rights: dict[str, str], fix: str
) -> None:
    world.hub.token("publish", bot, permissions=RIGHTS | rights, app=True)
    monkeypatch.setenv("SWE_AGENT_GITHUB_BOT", bot)
    with pytest.raises(ConfigError) as error:
        world.run()
    assert error.value.fix.startswith(fix)
    assert error.value.fix.replace("`", "") in world.summary.read_text().replace("`", "")
    assert world.outputs["outcome"] == "error"


def test_right_to_comment_that_is_missing_is_named(world: World) -> None:
    world.hub.token("publish", BOT, permissions=RIGHTS | {"issues": "read"}, app=True)
    with pytest.raises(ConfigError) as error:
        world.run()
    assert error.value.fix == "Add `issues: write` to `permissions:` of the workflow that calls swe-agent."


def test_actions_that_may_not_open_pull_requests(world: World) -> None:
    world.repo.actions_may_open_pulls = False
    with pytest.raises(ConfigError) as error:
        world.run()
    setting = (
        "Settings > Actions > General > Workflow permissions > Allow GitHub Actions to create and approve pull requests"
    )
    assert setting in error.value.fix
    assert "Allow GitHub Actions to create and approve pull requests" in world.said[0]
    assert "The patch is verified. The patch is `patch.diff`" in world.said[0]
    world.repo.actions_may_open_pulls = True
    assert world.run() == 0
    assert (len(world.repo.pulls), len(world.branches)) == (1, 2)


def test_repository_in_archive(world: World) -> None:
    world.repo.archived = True
    with pytest.raises(ConfigError) as error:
        world.run()
    assert error.value.fix.endswith("Unarchive this repository.")


def test_token_that_is_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ended")
    with pytest.raises(ConfigError) as error:
        world.run()
    assert "check the secret" in error.value.fix
    assert "ended" not in world.summary.read_text().split()


def test_rule_against_branch(world: World) -> None:
    world.repo.rulesets.add("swe-agent/*")
    with pytest.raises(ConfigError) as error:
        world.run()
    assert (
        error.value.fix
        == "Allow the branches `swe-agent/**` to be created: Settings > Rules > Rulesets, and Settings > Branches."
    )
    assert "Repository rule violations found" in world.said[0]


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


@pytest.mark.parametrize(("status", "said", "fix"), REFUSALS, ids=[said[:20] for _, said, _ in REFUSALS])
def test_what_github_says_is_explained(status: int, said: str, fix: str) -> None:
    headers = {"X-Accepted-GitHub-Permissions": "issues=write; pull_requests=write"}
    with pytest.raises(SweAgentError) as error, translate_errors("comment on #1", "issues: write"):
        raise GithubException(status, {"message": said}, headers)
    assert fix in explain_permission(error.value, Rules()).fix


def test_what_is_not_githubs_is_left_as_it_is() -> None:
    error = UsageError("The archive is locked.", "Look at it.")
    assert explain_permission(error, Rules()) is error
