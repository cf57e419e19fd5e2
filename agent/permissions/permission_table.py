"""The allowing and denying rules of a configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict


def _check_rule(text: str) -> str:
    from agent.permissions.rules import parse_rule

    if isinstance(rule := parse_rule(text), str):
        raise ValueError(rule)
    return text


def _check_allowing_rule(text: str) -> str:
    kind = _check_rule(text).split()[0].rstrip(":")
    if kind in ("mcp", "agent"):
        instead = "name the tool in `allow` of [mcp.NAME]" if kind == "mcp" else "write `/agents use NAME` in a session"
        raise ValueError(f"{text!r} cannot allow anything; {instead}")
    return text


class PermissionTable(BaseModel):
    """`[permissions]` of the user's config and of the administrator's policy; `agent/permissions/rules.py` reads them.

    `allow` says what a session may do without asking, and `deny` says what it must not do. If an action matches a rule
    of each list, the action is denied. The rules of the config and those of the policy all apply.
    """

    model_config = ConfigDict(extra="forbid")

    allow: tuple[Annotated[str, AfterValidator(_check_allowing_rule)], ...] = ()
    deny: tuple[Annotated[str, AfterValidator(_check_rule)], ...] = ()
