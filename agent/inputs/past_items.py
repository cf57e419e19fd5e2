"""Earlier issues and pull requests for strategies whose prompts show routes, read with the issue, before the run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from string import Template
from typing import TYPE_CHECKING

from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from trajectories.records import Issue


def add_past_items(
    issue: Issue,
    source: Repository,
    base: str | None,
    settings: Settings,
    say: Callable[[str], None],
    waiting: Callable[[str], AbstractContextManager[object]],
) -> Issue:
    """Return the issue with the earlier items that it or similar commits mention, as they were at the date of the base.

    They are read only for an issue on GitHub, with a token, and if a prompt of the strategy shows routes. If GitHub
    refuses, `say` is called, and the issue is returned unchanged: routes then use the messages of commits.
    """
    from agent.engine.strategy_prompts import load_prompts
    from agent.inputs.github_urls import address_of
    from agent.inputs.issue_hosts import issue_host

    if not (issue.url and settings.strategy):
        return issue
    prompts = load_prompts(settings.strategy, settings.prompts)
    if not any("routes" in Template(text).get_identifiers() for text in prompts.values()):
        return issue
    github = issue_host(issue.url)
    if not hasattr(github, "fetch_past_items") or not (address := address_of(issue.url)).token:
        return issue
    from datetime import UTC, datetime

    from aci.history.git_log import GitLog
    from aci.localization.issue_localization import HistoryBase, find_related_numbers

    commit = source.commit(base)
    seconds = GitLog(source.git_dir).time(commit)
    if seconds is None:
        return issue
    before = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    with waiting("Reading earlier issues"):
        try:
            numbers = find_related_numbers(issue, HistoryBase(source.git_dir, commit), say)
            return replace(issue, past=github.fetch_past_items(address, numbers, before))
        except SweAgentError as error:
            say(f"{error.message} Earlier issues are taken from messages of commits.")
            return issue
