"""The events of the two workflows that prove pull requests: `pull_request`, and `workflow_run` after it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from extensions.github.task.trigger_event import TriggerSkipped, event_name, read_event
from trajectories.errors import UsageError

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class ProposedPull:
    """A pull request: the commits of its target and head, and the words of its author."""

    number: int
    base: str
    head: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class ProofRun:
    """A finished run of the workflow that proves, and the commit that it proved, with its owner and branch."""

    url: str
    head: str
    owner: str
    branch: str


def read_pull() -> ProposedPull:
    """Return the pull request of the current event. Raises UsageError if there is none."""
    return _read("pull_request", _pull)


def read_run() -> ProofRun:
    """Return the run that the current event is about. Raises TriggerSkipped if it did not prove a pull request."""
    return _read("workflow_run", _run)


def _read(name: str, parse: Callable[[Mapping[str, Any]], Read]) -> Read:
    if event_name() != name:
        raise UsageError(f"This job is for the event {name}, not {event_name() or 'none'}.", "Correct the workflow.")
    try:
        return parse(read_event())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"The event {name} has an unknown structure: {error!r}.", "Update swe-agent.") from None


def _pull(event: Mapping[str, Any]) -> ProposedPull:
    pull = event["pull_request"]
    commits = _commit(pull["base"]["sha"]), _commit(pull["head"]["sha"])
    return ProposedPull(int(pull["number"]), *commits, str(pull["title"] or ""), str(pull["body"] or ""))


def _run(event: Mapping[str, Any]) -> ProofRun:
    run = event["workflow_run"]
    if run["event"] != "pull_request":
        raise TriggerSkipped(f"The workflow ran for the event {run['event']}, not for a pull request.")
    owner = (run["head_repository"] or {}).get("owner") or {}
    return ProofRun(
        str(run["html_url"]), _commit(run["head_sha"]), str(owner.get("login", "")), str(run["head_branch"])
    )


def _commit(sha: str) -> str:
    if not COMMIT.fullmatch(sha):
        raise ValueError(f"{sha[:80]!r} is no commit")
    return sha
