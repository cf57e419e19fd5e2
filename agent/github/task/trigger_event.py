"""What set the workflow off: who asked for what, where and when, as the event's file says it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from agent.github.rules import COMMAND, Rules
from trajectories.errors import UsageError

Kind = Literal["labelled", "opened", "comment", "review", "dispatch"]
EVENTS = frozenset({"issues", "issue_comment", "pull_request_review_comment", "workflow_dispatch"})
MOST_BYTES = 30_000_000
_COMMAND = re.compile(rf"{re.escape(COMMAND)}(?=\s|$)")


class Skipped(Exception):
    """Nothing is to be done, which is no error. Its text is the reason, one sentence."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """An event that asks for work on issue or pull request `number`.

    `text` is title and body as they were then; None where the event does not hold them. `comment` is the one that
    asks, `request` its words after the command, `head` the commit of the pull request that it is about ("" where the
    event does not tell). `at` is ISO 8601 in UTC.
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


def triggered(rules: Rules) -> Trigger:
    """What the present event asks for. Raises Skipped where it asks for nothing, UsageError without an event."""
    name, event = os.environ.get("GITHUB_EVENT_NAME", ""), _event()
    try:
        return _trigger(name, event, rules)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"The event {name} has not the form of GitHub's: {error!r}.", "Update swe-agent.") from None


def _trigger(name: str, event: Mapping[str, Any], rules: Rules) -> Trigger:
    what = f"{name}: {event['action']}" if "action" in event else name
    if what == "workflow_dispatch":
        return Trigger("dispatch", _number(event), False, *_sender(event), now())
    if what == "issues: labeled" and event["label"]["name"].casefold() != rules.label.casefold():
        raise Skipped("The label is another one.")
    if what in ("issues: labeled", "issues: opened"):
        issue = event["issue"]
        labelled = what == "issues: labeled"
        at = issue["updated_at"] if labelled else issue["created_at"]
        kind: Kind = "labelled" if labelled else "opened"
        return Trigger(
            kind, issue["number"], False, *_sender(event), utc(at), _text(issue), rules.label if labelled else ""
        )
    if what not in ("issue_comment: created", "pull_request_review_comment: created"):
        raise Skipped(f"Nothing is to be done at the event {what}.")
    comment, review = event["comment"], name != "issue_comment"
    place = event["pull_request"] if review else event["issue"]
    on_pull = review or "pull_request" in place
    request = _request(comment["body"] or "", on_pull)
    if comment["user"] is None or comment["user"]["id"] != event["sender"]["id"]:
        raise Skipped("Who sent the event is not who wrote the comment.")
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
    )


def _request(body: str, on_pull: bool) -> str:
    """The words after the command. Raises Skipped for a comment that is not for us."""
    found = _COMMAND.match(body)
    if found is None:
        raise Skipped(f"The comment does not begin with {COMMAND}.")
    words = body[found.end() :].strip()
    if on_pull:
        return words
    verb, *rest = words.split(maxsplit=1) or [""]
    if verb != "fix":
        raise Skipped(f"The comment does not begin with {COMMAND} fix.")
    return rest[0] if rest else ""


def _sender(event: Mapping[str, Any]) -> tuple[str, int, bool]:
    sender = event["sender"]
    login = str(sender["login"])
    return login, int(sender["id"]), sender["type"] != "User" or login.casefold().endswith("[bot]")


def _text(place: Mapping[str, Any]) -> tuple[str, str]:
    return str(place["title"] or ""), str(place["body"] or "")


def _number(event: Mapping[str, Any]) -> int:
    """In plain digits alone: the workflow's concurrency group is named by the input as it is."""
    given = str((event.get("inputs") or {}).get("issue", ""))
    if not re.fullmatch(r"[1-9][0-9]{0,9}", given):
        raise UsageError("The input issue is not the number of an issue.", "Give its digits alone, such as 12.")
    return int(given)


def _event() -> Mapping[str, Any]:
    path = os.environ.get("GITHUB_EVENT_PATH", "")
    try:
        with Path(path).open("rb") as file:
            found = json.loads(file.read(MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"There is no event in GITHUB_EVENT_PATH={path}.", "This command is for GitHub Actions.")
    return found


def utc(at: str) -> str:
    """A time of GitHub's, to the second: `2026-01-31T12:00:00Z`. Such texts sort as times do."""
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
