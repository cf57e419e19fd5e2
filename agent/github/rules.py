"""What a repository's owner allows the Action, as its inputs say; and what holds whatever they say."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

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
    most_open: int = Field(5, ge=0)
    """Pull requests of the bot that may be open at once."""
    budget: float = Field(2.0, gt=0)
    """For one run."""
    budget_per_issue: float = Field(10.0, ge=0)
    budget_per_day: float = Field(20.0, ge=0)
    open_unproven: bool = False
    """Whether a patch that is not proven becomes a pull request, too."""
    dry_run: bool = False
    """Decide and solve, but write nothing to GitHub."""
    max_patch: int = Field(200_000, gt=0)
    """Bytes of a patch that is published."""


def workflow_run() -> str:
    """The number of the workflow's run; "" outside of one."""
    return os.environ.get("GITHUB_RUN_ID", "")
