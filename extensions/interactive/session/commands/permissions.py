"""List what is allowed without asking, or remove rule N."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aci.observation.untrusted_text import clean_text
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.permissions.rule_store import Permissions, StoredRule
    from agent.permissions.rules import Rule
    from extensions.interactive.session.session import Session

NOW = True
USAGE = "[remove N]"
GROUP = "how"
IN_EDITORS = "alone"
POLICY = "the administrator's policy"
WHOSE = {"config": "your config", "project": "always in this project", "session": "this session"}


def run(session: Session, words: str) -> None:
    permissions = session.questions.permissions
    if not words:
        session.show(_listed(permissions), title="Permissions")
        return
    verb, _, number = words.partition(" ")
    if verb != "remove":
        raise UsageError(f"There is no `/permissions {verb}`.", "Write /permissions, or /permissions remove N.")
    removed = _named(permissions.allow_rules(), number.strip())
    permissions.remove(removed)
    session.show(f"Rule removed; the session asks again: {clean_text(str(removed.rule))}.")


def _listed(permissions: Permissions) -> str:
    allowed, denied = _of_policy()
    lines = [
        f"{number}. {clean_text(str(kept.rule))} ({POLICY if _is_in(kept, allowed) else WHOSE[kept.by]}{_since(kept)})"
        for number, kept in enumerate(permissions.allow_rules(), 1)
    ]
    lines += [
        f"never: {clean_text(str(rule))} ({POLICY if rule in denied else WHOSE['config']})"
        for rule in permissions.denied
    ]
    return "\n".join(lines or ["Nothing is allowed without asking."])


def _of_policy() -> tuple[list[Rule], list[Rule]]:
    """Return the rules that the administrator's policy allows and denies."""
    from agent.config.settings import policy_permissions
    from agent.permissions.rule_store import parse_rules

    table = policy_permissions()
    return list(parse_rules(table.allow)), list(parse_rules(table.deny))


def _is_in(kept: StoredRule, rules: list[Rule]) -> bool:
    return kept.by == "config" and kept.rule in rules


def _since(kept: StoredRule) -> str:
    return f", since {time.strftime('%Y-%m-%d %H:%M', time.localtime(kept.since))}" if kept.since else ""


def _named(rules: tuple[StoredRule, ...], number: str) -> StoredRule:
    if not number.isdecimal() or not 1 <= int(number) <= len(rules):
        raise UsageError(f"There is no rule {number or 'without a number'}.", "`/permissions` numbers them.")
    kept = rules[int(number) - 1]
    if _is_in(kept, _of_policy()[0]):
        raise UsageError("That rule belongs to the administrator's policy.", "Only the administrator can remove it.")
    if kept.by == "config":
        raise UsageError("That rule is set in your config.", "Remove it from [permissions] there.")
    return kept
