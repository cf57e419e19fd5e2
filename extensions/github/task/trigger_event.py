"""The event that triggered the workflow: who asked for what, where and when, read from the event's file."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from extensions.github.action_inputs import COMMAND, Rules
from trajectories.errors import UsageError

Kind = Literal["labelled", "opened", "comment", "review", "dispatch", "ci"]
ANSWER = "answer"
CI_EVENT = "workflow_run"
EVENTS = frozenset({"issues", "issue_comment", "pull_request_review_comment", "workflow_dispatch", CI_EVENT})
MOST_BYTES = 30_000_000
_COMMAND = re.compile(rf"{re.escape(COMMAND)}(?=\s|$)")


class TriggerSkipped(Exception):
    """Raised if there is nothing to do, which is not an error. The message is the reason, in one sentence."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """An event that asks for work on issue or pull request `number`.

    `text` is the title and body at that time; None if the event does not contain them. `comment` is the comment that
    makes the request, `request` its text after the command, `head` the commit of the pull request ("" if the event does
    not contain it). `at` is ISO 8601 in UTC.
    """

    kind: Kind
    number: int
    on_pull: bool
    actor: str
    actor_id: int
    is_bot: bool
    at: str
    text: tuple[str, str] | None = None
    label: str = ""
    comment: Mapping[str, Any] | None = None
    request: str = ""
    head: str = ""
    is_answer: bool = False
    """Whether the comment answers the model's questions; `by_author` says that the issue's author wrote it."""
    by_author: bool = False


def read_trigger(rules: Rules) -> Trigger:
    """Return what the current event asks for. Raises TriggerSkipped if it asks for nothing, UsageError if there is no
    event."""
    name, event = event_name(), read_event()
    try:
        return _trigger(name, event, rules)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"The event {name} has an unknown structure: {error!r}.", "Update swe-agent.") from None


def _trigger(name: str, event: Mapping[str, Any], rules: Rules) -> Trigger:
    what = f"{name}: {event['action']}" if "action" in event else name
    if what == "workflow_dispatch":
        return Trigger("dispatch", _number(event), False, *_sender(event), now())
    if what == "issues: labeled" and event["label"]["name"].casefold() != rules.label.casefold():
        raise TriggerSkipped("This label does not request a fix.")
    if what in ("issues: labeled", "issues: opened"):
        issue = event["issue"]
        labelled = what == "issues: labeled"
        at = issue["updated_at"] if labelled else issue["created_at"]
        kind: Kind = "labelled" if labelled else "opened"
        return Trigger(
            kind, issue["number"], False, *_sender(event), utc(at), _text(issue), rules.label if labelled else ""
        )
    if what not in ("issue_comment: created", "pull_request_review_comment: created"):
        raise TriggerSkipped(f"The event {what} needs no action.")
    comment, review = event["comment"], name != "issue_comment"
    place = event["pull_request"] if review else event["issue"]
    on_pull = review or "pull_request" in place
    verb, request = _request(comment["body"] or "", on_pull)
    if comment["user"] is None or comment["user"]["id"] != event["sender"]["id"]:
        raise TriggerSkipped("The event's sender is not the comment's author.")
    return Trigger(
        "review" if review else "comment",
        place["number"],
        on_pull,
        *_sender(event),
        max(utc(comment["created_at"]), utc(comment["updated_at"])),
        _text(place),
        comment=comment,
        request=request,
        head=place["head"]["sha"] if review else "",
        is_answer=verb == ANSWER,
        by_author=(place.get("user") or {}).get("id") == comment["user"]["id"],
    )


def _request(body: str, on_pull: bool) -> tuple[str, str]:
    """Return the verb ("" in a pull request) and the text after it. Raises TriggerSkipped for a comment without the
    command."""
    found = _COMMAND.match(body)
    if found is None:
        raise TriggerSkipped(f"The comment does not begin with {COMMAND}.")
    words = body[found.end() :].strip()
    if on_pull:
        return "", words
    verb, *rest = words.split(maxsplit=1) or [""]
    if verb not in ("fix", ANSWER):
        raise TriggerSkipped(f"The comment does not begin with {COMMAND} fix.")
    return verb, rest[0] if rest else ""


def _sender(event: Mapping[str, Any]) -> tuple[str, int, bool]:
    sender = event["sender"]
    login = str(sender["login"])
    return login, int(sender["id"]), sender["type"] != "User" or login.casefold().endswith("[bot]")


def _text(place: Mapping[str, Any]) -> tuple[str, str]:
    return str(place["title"] or ""), str(place["body"] or "")


def _number(event: Mapping[str, Any]) -> int:
    """Return the issue's number. Only digits are valid, because the input is used in the name of the workflow's
    concurrency group."""
    given = str((event.get("inputs") or {}).get("issue", ""))
    if not re.fullmatch(r"[1-9][0-9]{0,9}", given):
        raise UsageError("The input issue is not an issue number.", "Give digits only, such as 12.")
    return int(given)


def event_name() -> str:
    """Return the name of the current event; "" outside of a workflow."""
    return os.environ.get("GITHUB_EVENT_NAME", "")


def read_event() -> Mapping[str, Any]:
    """Return the payload of the current event. Raises UsageError if there is none."""
    path = os.environ.get("GITHUB_EVENT_PATH", "")
    try:
        with Path(path).open("rb") as file:
            found = json.loads(file.read(MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"GITHUB_EVENT_PATH={path} contains no event.", "This command is for GitHub Actions.")
    return found


def read_ci_run() -> int:
    """Return the number of the failed workflow run that the current event reports; nothing else in it is used.

    Raises TriggerSkipped if the run did not fail, UsageError for an event of an unknown structure.
    """
    event = read_event()
    try:
        run = event["workflow_run"]
        if event["action"] != "completed" or run["conclusion"] != "failure":
            raise TriggerSkipped("The workflow run did not fail.")
        return int(run["id"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"The event {CI_EVENT} has an unknown structure: {error!r}.", "Update swe-agent.") from None


def utc(at: str) -> str:
    """Return a time from GitHub with a precision of one second, such as `2026-01-31T12:00:00Z`. Strings in this format
    sort chronologically."""
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
