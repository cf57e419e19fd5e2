"""Decisions on calls of MCP servers' tools, whose stored rules hold the tool's name and pin."""

from __future__ import annotations

import pytest

from agent.permissions.approvals import Approval
from agent.permissions.decisions import CHANGED, allow_unless_denied, judge
from agent.permissions.permission_table import PermissionTable
from agent.permissions.rule_store import StoredRule
from agent.permissions.rules import Rule

CALL = Approval("mcp", "Call it?", "s__echo", pin="1a2b", needs_user=True)


def kept(pattern: str) -> list[StoredRule]:
    return [StoredRule(Rule("mcp", pattern), "project")]


def test_answer_for_longer_than_once_is_stored_with_the_pin() -> None:
    decision = judge(CALL, [], [])
    assert (decision.yes, decision.always, decision.notice) == (None, (Rule("mcp", "s__echo 1a2b"),), "")
    assert judge(CALL, [], kept("s__echo 1a2b")).yes is True


@pytest.mark.parametrize(
    ("pattern", "notice"),
    [("s__echo 9f9f", CHANGED), ("s__echo", CHANGED), ("s__other 1a2b", ""), ("s__* 1a2b", ""), ("**", "")],
)
def test_other_rules_do_not_allow_it(pattern: str, notice: str) -> None:
    decision = judge(CALL, [], kept(pattern))
    assert (decision.yes, decision.notice) == (None, notice)


@pytest.mark.parametrize("pattern", ["s__echo", "s__*", "S__Echo", "**", "*"])
def test_denial_wins(pattern: str) -> None:
    allowed = Approval("mcp", "Call it?", "s__echo", pin="1a2b", is_allowed=True)
    assert judge(allowed, [], []).yes is True
    assert judge(allowed, [Rule("mcp", pattern)], kept("s__echo 1a2b")).yes is False
    assert judge(allowed, [Rule("command", pattern)], []).yes is True, "a rule of another kind"


def test_no_one_to_ask_means_no() -> None:
    assert not allow_unless_denied(CALL, PermissionTable()).yes
