"""docs/review.md: its table of rules and its workflow."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import yaml

from agent.cli.command_line import load_command
from agent.patch_checks.findings import RULES

PAGE = (Path(__file__).parents[3] / "docs" / "review.md").read_text("utf-8")


def test_every_rule_is_documented_with_its_level() -> None:
    rows = re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+) \| (error|warning|note) \|", PAGE, re.MULTILINE)
    levels = {rule: level for rules, level in rows for rule in re.findall(r"[a-z-]+", rules)}
    assert levels == {name: rule.level for name, rule in RULES.items() if name != "shown-change"}
    assert "`shown-change`" in PAGE


def test_workflow_uses_options_that_exist_and_only_its_own_permissions() -> None:
    text = PAGE.partition("<!-- recipe: workflow -->\n```yaml\n")[2].partition("```")[0]
    workflow = yaml.safe_load(text)
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {}
    assert job["permissions"] == {"contents": "read", "pull-requests": "write", "security-events": "write"}
    (words,) = (shlex.split(step["run"]) for step in job["steps"] if "swe-agent review" in step.get("run", ""))
    known = {option for one in load_command("review").params for option in one.opts}
    assert {word for word in words if word.startswith("-")} <= known
    head = "${{ github.event.pull_request.head.sha }}"
    (source, upload) = (step["with"] for step in job["steps"] if "uses" in step)
    assert source["ref"] == upload["sha"] == head, "the lines of the findings are those of the head"
    assert upload["ref"] == "refs/pull/${{ github.event.pull_request.number }}/head"
    assert not any("${{" in step.get("run", "") for step in job["steps"]), "nothing of a stranger gets into a script"
