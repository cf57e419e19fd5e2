"""The Action's inputs, with which a repository's owner limits what the Action does, and the Action's constants."""

from __future__ import annotations

import os
import re
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from agent.config.environment_variables import check_environment
from agent.inputs.github_urls import REPOSITORY, Address, own_server
from trajectories.errors import ConfigError, UsageError

PREFIX = "swe-agent/"
"""Prefix of all branches that the Action creates. A pull request is the Action's own if the bot opened it from such a
branch."""
COMMAND = "/swe-agent"
"""The prefix of comments that are meant for the Action."""


class Rules(BaseSettings):
    """Settings from `SWE_AGENT_GITHUB_*`, which the workflow sets from its inputs. Amounts are in dollars, days in
    UTC."""

    model_config = SettingsConfigDict(env_prefix="SWE_AGENT_GITHUB_", extra="forbid", frozen=True)

    label: str = "swe-agent"
    """The label that requests a fix; "" means that no label does."""
    on_opened: Literal["nobody", "members", "everyone"] = "nobody"
    """Authors whose new issues the Action works on without a request."""
    allowed_bots: str = ""
    """Logins of bots that may make requests, separated by commas."""
    bot: str = "github-actions[bot]"
    """The login of the account with whose token the Action publishes."""
    most_open: int = Field(default=5, ge=0)
    """Maximum number of open pull requests of the bot."""
    budget: float = Field(default=2.0, gt=0)
    """Maximum amount in dollars for one run."""
    budget_per_issue: float = Field(default=10.0, ge=0)
    """Maximum amount in dollars for all runs on one issue."""
    budget_per_day: float = Field(default=20.0, ge=0)
    """Maximum amount in dollars for all runs of one day."""
    ci_attempts: int = Field(default=1, ge=0)
    """Maximum number of times that the Action continues one of its pull requests because CI failed."""
    ask: Literal["nobody", "members", "author"] = "nobody"
    """Who may answer the model's questions about an issue; `author` means its author and members. With `nobody`, the
    model may ask no questions."""
    accept: Literal["verified", "plausible"] = "verified"
    """The weakest verdict whose patch becomes a pull request."""
    open_unproven: bool = False
    """Whether a patch becomes a pull request whatever its verdict."""
    dry_run: bool = False
    """Whether the Action solves issues without writing anything to GitHub."""
    max_patch: int = Field(default=200_000, gt=0)
    """Maximum size in bytes of a published patch."""
    minutes: int = Field(default=120, gt=0)
    """Time limit of the solving job in minutes. An unfinished run blocks other runs on the same issue for at most this
    time and one hour."""

    @property
    def bots(self) -> frozenset[str]:
        """Bots that may make requests, in lower case; never the Action itself."""
        named = {name.strip().casefold() for name in self.allowed_bots.split(",")}
        return frozenset(named - {"", self.bot.casefold()})


def load_rules() -> Rules:
    """Return the rules of this run. Raises ConfigError for an invalid input."""
    check_environment(beginning="SWE_AGENT_GITHUB_")
    try:
        rules = Rules()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(map(str, first["loc"]))
        raise ConfigError(
            f"The input {name} is invalid: {first['msg']}.", f"Correct SWE_AGENT_GITHUB_{name.upper()}."
        ) from None
    except SettingsError as error:
        raise ConfigError(f"An input cannot be read: {error}.", "Correct SWE_AGENT_GITHUB_*.") from None
    if rules.dry_run and rules.on_opened == "everyone":
        raise ConfigError(
            "A dry run does not record its spending, so strangers could spend without limit.",
            "With dry-run, set on-opened to nobody or members.",
        )
    return rules


def own_repository() -> Address:
    """Return the repository in which the current GitHub Actions workflow runs. Raises UsageError outside of GitHub
    Actions."""
    name = os.environ.get("GITHUB_REPOSITORY", "")
    if not re.fullmatch(REPOSITORY, name, re.ASCII):
        raise UsageError("GITHUB_REPOSITORY names no repository.", "This command is for GitHub Actions.")
    return Address(own_server(), name)


def workflow_run() -> str:
    """Return the number of the workflow run; "" outside of one."""
    return _number("GITHUB_RUN_ID")


def workflow_attempt() -> str:
    """Return the attempt number of the workflow run; "" outside of one."""
    return _number("GITHUB_RUN_ATTEMPT")


def _number(variable: str) -> str:
    given = os.environ.get(variable, "")
    return given if given.isascii() and given.isdecimal() else ""
