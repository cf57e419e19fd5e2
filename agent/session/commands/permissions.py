"""Show what is allowed without asking, or remove the rule of a number."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from aci.view import clean
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from agent.permissions import Kept, Permissions
    from agent.rules import Rule
    from agent.session.session import Session

NOW = True
USAGE = "[remove N]"
GROUP = "how"
POLICY = "the administrator's policy"
WHOSE = {"config": "your config", "project": "always in this project", "session": "this session"}


def run(session: Session, words: str) -> None:
    permissions = session.asking.permissions
    if not words:
        session.tell(_listed(permissions), title="Permissions")
        return
    verb, _, number = words.partition(" ")
    if verb != "remove":
        raise UsageError(f"`/permissions {verb}` is not known.", "Write /permissions, or /permissions remove N.")
    gone = _named(permissions.kept(), number.strip())
    permissions.remove(gone)
    session.tell(f"Asked about again: {clean(str(gone.rule))}.")


def _listed(permissions: Permissions) -> str:
    allowed, denied = _of_policy()
    lines = [
        f"{number}. {clean(str(kept.rule))} ({POLICY if _is_in(kept, allowed) else WHOSE[kept.by]}{_since(kept)})"
        for number, kept in enumerate(permissions.kept(), 1)
    ]
    lines += [
        f"never: {clean(str(rule))} ({POLICY if rule in denied else WHOSE['config']})" for rule in permissions.denied
    ]
    return "\n".join(lines or ["Nothing is allowed without asking."])


def _of_policy() -> tuple[list[Rule], list[Rule]]:
    """What the administrator allows and denies."""
    from agent.permissions import rules_of
    from agent.settings import policy_permissions

    table = policy_permissions()
    return list(rules_of(table.allow)), list(rules_of(table.deny))


def _is_in(kept: Kept, rules: list[Rule]) -> bool:
    return kept.by == "config" and kept.rule in rules


def _since(kept: Kept) -> str:
    return f", since {time.strftime('%Y-%m-%d %H:%M', time.localtime(kept.since))}" if kept.since else ""


def _named(rules: tuple[Kept, ...], number: str) -> Kept:
    if not number.isdecimal() or not 1 <= int(number) <= len(rules):
        raise UsageError(f"There is no rule {number or 'without a number'}.", "`/permissions` numbers them.")
    kept = rules[int(number) - 1]
    if _is_in(kept, _of_policy()[0]):
        raise UsageError("That rule is of the administrator's policy.", "Only the administrator can remove it.")
    if kept.by == "config":
        raise UsageError("That rule is of the configuration.", "Take it out of [permissions] there.")
    return kept
