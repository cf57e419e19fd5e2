"""Who may ask: the gate lets nobody through who may not write, and writes nothing for them."""

from __future__ import annotations

import pytest

from tests.agent.github.attacks.attack_repository import BOT, Done, Place, copied

FIX = "/swe-agent fix"
FOLLOW = "/swe-agent rename it"


def refused(place: Place, done: Done, why: str, answered: int = 0) -> None:
    """Stopped by the gate, which says why and has written nothing to GitHub; but, to who may write, one comment on
    what they asked about (`answered`)."""
    assert (done.code, done.outputs.get("go")) == (0, "false"), done
    assert why in done.reason
    assert place.written == [f"POST /repos/octo/calc/issues/{answered}/comments"] * bool(answered)
    assert not place.errand_file.exists(), "nothing goes on to the jobs that have keys"


@pytest.mark.parametrize("who", ["mallory", "bob", "tri"], ids=["nobody", "reader", "triage"])
def test_comment_of_who_may_not_write(place: Place, who: str) -> None:
    """Stopped by the collaborator's permission; `triage` is `read` there."""
    comment = place.approved().comment(who, FIX)
    refused(place, place.gate("issue_comment", place.commented(comment)), "write")


@pytest.mark.parametrize("who", ["mallory", "tri"], ids=["form", "triage"])
def test_label_of_who_may_not_write(place: Place, who: str) -> None:
    """Stopped by the permission of who labelled. Issue forms label in the name of whoever opens an issue."""
    issue = place.approved(author=who)
    event = place.labelled(issue, who)
    refused(place, place.gate("issues", event), "write")


def test_author_may_not_approve_their_own_issue(place: Place) -> None:
    """Stopped by the permission: who wrote an issue has no right by that."""
    comment = place.approved(author="mallory").comment("mallory", FIX)
    refused(place, place.gate("issue_comment", place.commented(comment)), "write")


@pytest.mark.parametrize("role", ["MEMBER", "COLLABORATOR", "OWNER"])
def test_role_in_event_is_no_permission(place: Place, role: str) -> None:
    """Stopped by the permission: `author_association` says MEMBER of people who may not write."""
    comment = place.approved().comment("bob", FIX)
    event = place.commented(comment)
    event["comment"]["author_association"] = role
    refused(place, place.gate("issue_comment", event), "write")


def test_member_without_write_opens_issue(place: Place) -> None:
    """Stopped by the permission, where the owner wants members' issues worked on."""
    place.rules(on_opened="members")
    issue = place.repo.issue("Mine", "Do it.", author="bob", association="MEMBER")
    refused(place, place.gate("issues", place.hub.event("issues", "opened", issue)), "write")


def test_new_issue_unasked(place: Place) -> None:
    """Stopped by `on-opened`, which is `nobody` unless the owner says otherwise, even for an owner's own."""
    issue = place.repo.issue("Mine", "/swe-agent fix", author="ada")
    refused(place, place.gate("issues", place.hub.event("issues", "opened", issue)), "without a request")


@pytest.mark.parametrize("status", [403, 404, 500, 502])
def test_permission_cannot_be_asked_for(place: Place, status: int) -> None:
    """Stopped by failing closed: what is not known is not allowed."""
    comment = place.approved().comment("ada", FIX)
    place.hub.fault("GET", r"/collaborators/ada/permission$", status=status, body=None, headers={}, times=9)
    done = place.gate("issue_comment", place.commented(comment))
    assert not done.went
    assert place.written == []
    assert not place.errand_file.exists()


@pytest.mark.parametrize("bot", ["dependabot[bot]", "evil[bot]"])
def test_bot_with_write(place: Place, bot: str) -> None:
    """Stopped by being a bot that is not listed."""
    place.hub.user(bot, kind="Bot")
    place.repo.permissions[bot] = "write"
    event = place.labelled(place.approved(), bot)
    refused(place, place.gate("issues", event), "bot")


def test_our_own_bot_asks_itself(place: Place) -> None:
    """Stopped by being ourselves, even where somebody listed us."""
    place.rules(allowed_bots=f"renovate[bot],{BOT}")
    place.repo.permissions[BOT] = "write"
    comment = place.approved().comment(BOT, FIX)
    refused(place, place.gate("issue_comment", place.commented(comment)), "itself")


def test_two_bots_talk_to_each_other(place: Place) -> None:
    """Stopped by the first comment of ours being no reason: the other bot, listed, gets through by a command only."""
    place.rules(allowed_bots="helper[bot]")
    place.hub.user("helper[bot]", kind="Bot")
    issue = place.approved()
    comment = issue.comment("helper[bot]", f"> {FIX}\n\nThanks, I see you said so.")
    refused(place, place.gate("issue_comment", place.commented(comment)), "")


def test_listed_bot_asks(place: Place) -> None:
    """The other side: what the owner listed gets through. GitHub does not tell what an App may do."""
    place.rules(allowed_bots="helper[bot]")
    place.hub.user("helper[bot]", kind="Bot")
    event = place.labelled(place.approved(), "helper[bot]")
    assert place.gate("issues", event).went


def test_person_called_as_listed_bot(place: Place) -> None:
    """Stopped by the permission: the list names a bot, and `helper` is a person who may not write."""
    place.rules(allowed_bots="helper[bot]")
    comment = place.approved().comment("helper", FIX)
    refused(place, place.gate("issue_comment", place.commented(comment)), "write")


@pytest.mark.parametrize("label", ["swe-agent ", "Ⓢwe-agent", "swe-agent\n", "swe-agent2", "bug"], ids=range(5))
def test_another_label(place: Place, label: str) -> None:
    """Stopped by not being the label that the owner named."""
    event = place.labelled(place.approved(), "ada", label)
    refused(place, place.gate("issues", event), "label")


@pytest.mark.parametrize(
    "said",
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
def test_command_that_nobody_gave(place: Place, said: str) -> None:
    """Stopped by the command being the first words of a comment only; ada, who may write, quotes a stranger here."""
    comment = place.approved().comment("ada", said)
    refused(place, place.gate("issue_comment", place.commented(comment)), "")


def test_comment_made_command_by_editing(place: Place) -> None:
    """Stopped by the kind of event: only new comments count."""
    comment = place.approved().comment("ada", FIX)
    event = place.commented(comment) | {"action": "edited"}
    refused(place, place.gate("issue_comment", event), "")


@pytest.mark.parametrize("how", ["closed", "locked"])
def test_discussion_that_is_over(place: Place, how: str) -> None:
    """Stopped by the issue's state."""
    issue = place.approved()
    issue.close() if how == "closed" else issue.lock()
    event = place.labelled(issue)
    refused(place, place.gate("issues", event), how, issue.number)


@pytest.mark.parametrize("author", ["mallory", "ada", "dependabot[bot]"])
def test_follow_up_on_pull_request_of_another(place: Place, author: str) -> None:
    """Stopped by who opened it: a branch of our name is not ours by that."""
    pull = place.pull(author=author, body="Fixes #1")
    event = place.commented(pull.comment("ada", FOLLOW))
    refused(place, place.gate("issue_comment", event), "not a pull request of the action", pull.number)


def test_follow_up_on_fork(place: Place) -> None:
    """Stopped by whose repository the branch is in, although the bot opened the pull request."""
    fork = place.hub.repo("mallory/calc", git=copied(place.repo.git, place.folder / "fork.git"), fork_of=place.repo)
    pull = place.pull(fork=fork)
    event = place.commented(pull.comment("ada", FOLLOW))
    refused(place, place.gate("issue_comment", event), "not a pull request of the action", pull.number)


def test_stranger_asks_in_review_thread(place: Place) -> None:
    """Stopped by the permission, in our own pull request too."""
    pull = place.pull()
    comment = pull.review_comment("mallory", FOLLOW, "calc/core.py", 3)
    event = place.hub.event("pull_request_review_comment", "created", comment)
    refused(place, place.gate("pull_request_review_comment", event), "write")


@pytest.mark.parametrize(
    "number", ["", "0", "-1", "1; id", "1\ngo=true", "../2", "٣", "1e0", "99999999999", "$(id)", "0x1"], ids=range(11)
)
def test_dispatch_for_no_number(place: Place, number: str) -> None:
    """Stopped by the input being a number in plain digits, or else nothing."""
    place.approved()
    event = place.hub.event("workflow_dispatch", "", place.repo, actor="ada", inputs={"issue": number})
    done = place.gate("workflow_dispatch", event)
    assert not done.went
    assert place.written == []
    assert "Traceback" not in done.said


def test_event_of_another_repository(place: Place) -> None:
    """Stopped by the repository being the one that Actions names, in which the job runs."""
    other = place.hub.repo("mallory/evil", git=None)
    issue = other.issue("Theirs", "x", author="mallory")
    other.permissions["mallory"] = "admin"
    event = place.labelled(issue, "mallory")
    refused(place, place.gate("issues", event), "")


@pytest.mark.parametrize("name", ["push", "pull_request_target", "fork", "issues"])
def test_event_of_another_kind(place: Place, name: str) -> None:
    """Stopped by the kinds of events being a list."""
    event = place.labelled(place.approved())
    done = place.gate(name, event | {"action": "unlabeled"})
    assert not done.went
    assert place.written == []
