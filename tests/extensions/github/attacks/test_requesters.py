"""Requests by users and bots without write access: the gate refuses them and writes nothing for them."""

from __future__ import annotations

import pytest

from tests.extensions.github.attacks.attack_repository import BOT, AttackTarget, JobResult, copy_tree

FIX = "/swe-agent fix"
FOLLOW = "/swe-agent rename it"


def check_refused(target: AttackTarget, result: JobResult, reason: str, answered: int = 0) -> None:
    """Check that the gate refused for this reason and wrote at most one comment, on the issue `answered`."""
    assert (result.code, result.outputs.get("go")) == (0, "false"), result
    assert reason in result.reason
    assert target.write_requests == [f"POST /repos/octo/calc/issues/{answered}/comments"] * bool(answered)
    assert not target.task_file.exists(), "the jobs with keys received a task"


@pytest.mark.parametrize("login", ["mallory", "bob", "tri"], ids=["nobody", "reader", "triage"])
def test_comment_without_write_access_is_refused(target: AttackTarget, login: str) -> None:
    """The user's permission decides; GitHub reports `triage` as `read`."""
    comment = target.issue().comment(login, FIX)
    check_refused(target, target.gate("issue_comment", target.comment_event(comment)), "write")


@pytest.mark.parametrize("login", ["mallory", "tri"], ids=["form", "triage"])
def test_label_without_write_access_is_refused(target: AttackTarget, login: str) -> None:
    """The permission of the user who labels decides. Issue forms label in the name of whoever opens an issue."""
    issue = target.issue(author=login)
    event = target.label_event(issue, login)
    check_refused(target, target.gate("issues", event), "write")


def test_author_may_not_approve_their_own_issue(target: AttackTarget) -> None:
    """The permission decides: writing an issue grants none."""
    comment = target.issue(author="mallory").comment("mallory", FIX)
    check_refused(target, target.gate("issue_comment", target.comment_event(comment)), "write")


@pytest.mark.parametrize("role", ["MEMBER", "COLLABORATOR", "OWNER"])
def test_role_in_event_is_no_permission(target: AttackTarget, role: str) -> None:
    """The permission decides: `author_association` may be MEMBER for users without write access."""
    comment = target.issue().comment("bob", FIX)
    event = target.comment_event(comment)
    event["comment"]["author_association"] = role
    check_refused(target, target.gate("issue_comment", event), "write")


def test_new_issue_of_member_without_write_access_is_refused(target: AttackTarget) -> None:
    """The permission decides, even if the owner wants members' issues to be worked on."""
    target.set_rules(on_opened="members")
    issue = target.repo.issue("Mine", "Do it.", author="bob", association="MEMBER")
    check_refused(target, target.gate("issues", target.hub.event("issues", "opened", issue)), "write")


def test_new_issue_without_request_is_refused(target: AttackTarget) -> None:
    """`on-opened` is `nobody` by default, which includes issues of the owner."""
    issue = target.repo.issue("Mine", "/swe-agent fix", author="ada")
    check_refused(target, target.gate("issues", target.hub.event("issues", "opened", issue)), "without a request")


@pytest.mark.parametrize("status", [403, 404, 500, 502])
def test_request_is_refused_if_permission_is_unknown(target: AttackTarget, status: int) -> None:
    """The gate fails closed."""
    comment = target.issue().comment("ada", FIX)
    target.hub.fault("GET", r"/collaborators/ada/permission$", status=status, body=None, headers={}, times=9)
    result = target.gate("issue_comment", target.comment_event(comment))
    assert not result.accepted
    assert target.write_requests == []
    assert not target.task_file.exists()


@pytest.mark.parametrize("bot", ["dependabot[bot]", "evil[bot]"])
def test_bot_with_write_access_is_refused(target: AttackTarget, bot: str) -> None:
    """A bot must be listed in `allowed-bots`."""
    target.hub.user(bot, kind="Bot")
    target.repo.permissions[bot] = "write"
    event = target.label_event(target.issue(), bot)
    check_refused(target, target.gate("issues", event), "bot")


def test_actions_own_bot_is_refused(target: AttackTarget) -> None:
    """The Action ignores itself, even if its bot is listed."""
    target.set_rules(allowed_bots=f"renovate[bot],{BOT}")
    target.repo.permissions[BOT] = "write"
    comment = target.issue().comment(BOT, FIX)
    check_refused(target, target.gate("issue_comment", target.comment_event(comment)), "itself")


def test_two_bots_cannot_trigger_each_other_by_quotes(target: AttackTarget) -> None:
    """A quoted command is no command, so the Action's comment and the other bot's answer end there."""
    target.set_rules(allowed_bots="helper[bot]")
    target.hub.user("helper[bot]", kind="Bot")
    issue = target.issue()
    comment = issue.comment("helper[bot]", f"> {FIX}\n\nThanks for the note.")
    check_refused(target, target.gate("issue_comment", target.comment_event(comment)), "")


def test_listed_bot_is_accepted(target: AttackTarget) -> None:
    """The counterpart: listed bots are accepted. GitHub does not report what an App may do."""
    target.set_rules(allowed_bots="helper[bot]")
    target.hub.user("helper[bot]", kind="Bot")
    event = target.label_event(target.issue(), "helper[bot]")
    assert target.gate("issues", event).accepted


def test_user_named_like_listed_bot_is_refused(target: AttackTarget) -> None:
    """The permission decides: the list names a bot, and `helper` is a user without write access."""
    target.set_rules(allowed_bots="helper[bot]")
    comment = target.issue().comment("helper", FIX)
    check_refused(target, target.gate("issue_comment", target.comment_event(comment)), "write")


@pytest.mark.parametrize("label", ["swe-agent ", "Ⓢwe-agent", "swe-agent\n", "swe-agent2", "bug"], ids=range(5))
def test_other_label_is_ignored(target: AttackTarget, label: str) -> None:
    """Only the label that the owner configured counts."""
    event = target.label_event(target.issue(), "ada", label)
    check_refused(target, target.gate("issues", event), "label")


@pytest.mark.parametrize(
    "text",
    [
        "> /swe-agent fix\n\nDid you mean this?",
        "```\n/swe-agent fix\n```",
        "    /swe-agent fix",
        "Please never write `/swe-agent fix` here.",
        "<!--\n/swe-agent fix\n-->\nLooks good.",
        "Hello\n/swe-agent fix",
        "/swe-agentfix",
        "/swe-agents fix",
        "\u202e/swe-agent fix",
        "\u200b/swe-agent fix",
    ],
    ids=range(10),
)
def test_quoted_or_hidden_command_is_ignored(target: AttackTarget, text: str) -> None:
    """Only the first words of a comment are a command. Here ada, who may write, quotes an untrusted user."""
    comment = target.issue().comment("ada", text)
    check_refused(target, target.gate("issue_comment", target.comment_event(comment)), "")


def test_edited_comment_is_no_request(target: AttackTarget) -> None:
    """Only new comments count."""
    comment = target.issue().comment("ada", FIX)
    event = target.comment_event(comment) | {"action": "edited"}
    check_refused(target, target.gate("issue_comment", event), "")


@pytest.mark.parametrize("state", ["closed", "locked"])
def test_request_on_closed_or_locked_issue_is_refused(target: AttackTarget, state: str) -> None:
    """The issue's state decides."""
    issue = target.issue()
    issue.close() if state == "closed" else issue.lock()
    event = target.label_event(issue)
    check_refused(target, target.gate("issues", event), state, issue.number)


@pytest.mark.parametrize("author", ["mallory", "ada", "dependabot[bot]"])
def test_follow_up_on_pull_request_of_another_author_is_refused(target: AttackTarget, author: str) -> None:
    """The author decides: a branch named like the Action's is not enough."""
    pull = target.pull(author=author, body="Fixes #1")
    event = target.comment_event(pull.comment("ada", FOLLOW))
    check_refused(target, target.gate("issue_comment", event), "not a pull request of the action", pull.number)


def test_follow_up_on_branch_of_fork_is_refused(target: AttackTarget) -> None:
    """The branch must be in this repository, even if the bot opened the pull request."""
    fork = target.hub.repo(
        "mallory/calc", git=copy_tree(target.repo.git, target.folder / "fork.git"), fork_of=target.repo
    )
    pull = target.pull(fork=fork)
    event = target.comment_event(pull.comment("ada", FOLLOW))
    check_refused(target, target.gate("issue_comment", event), "not a pull request of the action", pull.number)


def test_request_in_review_thread_needs_write_access(target: AttackTarget) -> None:
    """The permission decides, on the Action's own pull requests too."""
    pull = target.pull()
    comment = pull.review_comment("mallory", FOLLOW, "calc/core.py", 3)
    event = target.hub.event("pull_request_review_comment", "created", comment)
    check_refused(target, target.gate("pull_request_review_comment", event), "write")


@pytest.mark.parametrize(
    "number", ["", "0", "-1", "1; id", "1\ngo=true", "../2", "٣", "1e0", "99999999999", "$(id)", "0x1"], ids=range(11)
)
def test_dispatch_needs_plain_issue_number(target: AttackTarget, number: str) -> None:
    """The input must consist of decimal digits."""
    target.issue()
    event = target.hub.event("workflow_dispatch", "", target.repo, actor="ada", inputs={"issue": number})
    result = target.gate("workflow_dispatch", event)
    assert not result.accepted
    assert target.write_requests == []
    assert "Traceback" not in result.log


def test_event_of_another_repository_is_refused(target: AttackTarget) -> None:
    """Only the repository that Actions names counts, in which the job runs."""
    other = target.hub.repo("mallory/evil", git=None)
    issue = other.issue("Theirs", "x", author="mallory")
    other.permissions["mallory"] = "admin"
    event = target.label_event(issue, "mallory")
    check_refused(target, target.gate("issues", event), "")


@pytest.mark.parametrize("name", ["push", "pull_request_target", "fork", "issues"])
def test_event_of_another_kind_is_ignored(target: AttackTarget, name: str) -> None:
    """Only listed kinds of events count."""
    event = target.label_event(target.issue())
    result = target.gate(name, event | {"action": "unlabeled"})
    assert not result.accepted
    assert target.write_requests == []
