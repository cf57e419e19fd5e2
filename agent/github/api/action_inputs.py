"""What a repository's owner allows the Action, as its inputs say; and what holds whatever they say."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from agent.environment_variables import check_environment
from trajectories.errors import ConfigError

PREFIX = "swe-agent/"
"""All branches that the Action makes begin so. A pull request from one, opened by the bot, is its own."""
COMMAND = "/swe-agent"
"""What a comment begins with that is meant for the Action."""


class Rules(BaseSettings):
    """Read from `SWE_AGENT_GITHUB_*`, which the workflow sets from its inputs. Dollars, UTC days."""

    model_config = SettingsConfigDict(env_prefix="SWE_AGENT_GITHUB_", extra="forbid", frozen=True)

    label: str = "swe-agent"
    """The label that asks for a fix; "" for none."""
    on_opened: Literal["nobody", "members", "everyone"] = "nobody"
    """Whose new issues are worked on unasked."""
    allowed_bots: str = ""
    """Logins of bots that may ask, with commas between."""
    bot: str = "github-actions[bot]"
    """Who the Action itself is: whose token it publishes with."""
    most_open: int = Field(default=5, ge=0)
    """Pull requests of the bot that may be open at once."""
    budget: float = Field(default=2.0, gt=0)
    """For one run."""
    budget_per_issue: float = Field(default=10.0, ge=0)
    budget_per_day: float = Field(default=20.0, ge=0)
    open_unproven: bool = False
    """Whether a patch that is not proven becomes a pull request, too."""
    dry_run: bool = False
    """Decide and solve, but write nothing to GitHub."""
    max_patch: int = Field(default=200_000, gt=0)
    """Bytes of a patch that is published."""
    minutes: int = Field(default=120, gt=0)
    """That solving takes at most. What is held for a run that must have ended keeps no other from beginning."""

    @property
    def bots(self) -> frozenset[str]:
        """Bots that may ask, in small letters; never the Action itself."""
        named = {name.strip().casefold() for name in self.allowed_bots.split(",")}
        return frozenset(named - {"", self.bot.casefold()})


def load_rules() -> Rules:
    """The rules of this run. Raises ConfigError for an input that makes no sense."""
    check_environment(beginning="SWE_AGENT_GITHUB_")
    try:
        rules = Rules()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(map(str, first["loc"]))
        raise ConfigError(
            f"The input {name} is not one: {first['msg']}.", f"Mend SWE_AGENT_GITHUB_{name.upper()}."
        ) from None
    except SettingsError as error:
        raise ConfigError(f"An input cannot be read: {error}.", "Mend SWE_AGENT_GITHUB_*.") from None
    if rules.dry_run and rules.on_opened == "everyone":
        raise ConfigError(
            "A dry run writes down nothing of what is spent, so strangers could spend without end.",
            "With dry-run, let on-opened be nobody or members.",
        )
    return rules


def workflow_run() -> str:
    """The number of the workflow's run; "" outside of one."""
    return _number("GITHUB_RUN_ID")


def workflow_attempt() -> str:
    """Which time it is that the workflow's run is run; "" outside of one."""
    return _number("GITHUB_RUN_ATTEMPT")


def _number(variable: str) -> str:
    given = os.environ.get(variable, "")
    return given if given.isascii() and given.isdecimal() else ""
