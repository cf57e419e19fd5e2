"""What speaks against another pull request: one that is open for the issue, or too many of the Action's own."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from agent.github.client import asking
from agent.github.rules import Rules
from agent.github.subject import is_own, issue_of_branch
from agent.github.trigger import Skipped

if TYPE_CHECKING:
    from github.Repository import Repository

MOST = 1_000
"""Open pull requests that are looked through, latest first."""


def check_free(place: Repository, server: str, name: str, issue: int, rules: Rules) -> None:
    """Raises Skipped where a pull request for the issue is open, or too many of ours."""
    with asking("read the open pull requests", "pull-requests: read"):
        pulls = list(islice(place.get_pulls(state="open", sort="created", direction="desc"), MOST))
    closes = closing(server, name, issue)
    for pull in pulls:
        if closes.search(f"{pull.title}\n{pull.body or ''}") or (
            is_own(pull, name, rules) and issue_of_branch(pull.head.ref) == issue
        ):
            raise Skipped(f"A pull request for #{issue} is open: #{pull.number}.")
    own = sum(is_own(pull, name, rules) for pull in pulls)
    if own >= rules.most_open:
        raise Skipped(f"{own} pull requests of the Action's are open, and {rules.most_open} may be.")


def closing(server: str, name: str, issue: int) -> re.Pattern[str]:
    """GitHub's words that close an issue when a pull request is merged, before the issue in any of its spellings."""
    where = rf"(?:(?:{re.escape(name)})?#|{re.escape(f'{server}/{name}')}/issues/){issue}\b"
    return re.compile(rf"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?[ \t]+{where}", re.IGNORECASE)
