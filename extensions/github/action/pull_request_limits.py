"""Limits on pull requests: one open pull request for each issue, and a maximum number of open pull requests of the
Action."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from extensions.github.action_inputs import Rules
from extensions.github.api.github_client import translate_errors
from extensions.github.api.proposed_changes import CLOSES
from extensions.github.task.task_subject import is_own, issue_of_branch
from extensions.github.task.trigger_event import TriggerSkipped

if TYPE_CHECKING:
    from github.Repository import Repository

MOST = 1_000
"""Maximum number of open pull requests that are checked, latest first."""


def check_free(place: Repository, server: str, name: str, issue: int, rules: Rules) -> None:
    """Raise TriggerSkipped if a pull request for the issue is open, or if the Action has too many open pull
    requests."""
    with translate_errors("read the open pull requests", "pull-requests: read"):
        pulls = list(islice(place.get_pulls(state="open", sort="created", direction="desc"), MOST))
    closes = closing(server, name, issue)
    for pull in pulls:
        if closes.search(f"{pull.title}\n{pull.body or ''}") or (
            is_own(pull, name, rules) and issue_of_branch(pull.head.ref) == issue
        ):
            raise TriggerSkipped(f"A pull request for #{issue} is open: #{pull.number}.")
    own = sum(is_own(pull, name, rules) for pull in pulls)
    if own >= rules.most_open:
        raise TriggerSkipped(f"The Action has {own} open pull requests; the limit is {rules.most_open}.")


def closing(server: str, name: str, issue: int) -> re.Pattern[str]:
    """Return a pattern that matches one of GitHub's closing keywords followed by a reference to the issue, in any
    notation."""
    where = rf"(?:(?:{re.escape(name)})?#|{re.escape(f'{server}/{name}')}/issues/){issue}\b"
    return re.compile(CLOSES + where, re.IGNORECASE)
