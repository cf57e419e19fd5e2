"""Remarks of a model that read a patch once: what it is shown, and its answer, whose places are checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aci.observation.output_text import shorten
from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import clean_text, one_line, wrap_output
from agent.patch_checks.findings import LONGEST, Finding
from agent.patch_checks.review import Lines
from agent.prompts.quotation import framed_issue

if TYPE_CHECKING:
    from agent.engine.engine import Engine
    from trajectories.records import Issue

BRANCH = "remarks"
"""The name of the branch with the model's answer."""
UNREAD = "unread"
"""The kind of the note that says why there is no answer."""
LONGEST_DIFF = 60_000
"""Maximum number of characters of the diff that the model is shown."""
MOST = 10
"""Maximum number of remarks that are taken from an answer."""
_REMARK = re.compile(r"\s*(?:[-*]\s+|\d{1,2}[.)]\s+)?`?(?P<path>[^`\n]+?):(?P<line>[1-9]\d{0,8})`?:\s+(?P<text>\S.*)")
_NOTHING = re.compile(r"\W*(?:none|nothing)\W*", re.IGNORECASE)


def reading_request(issue: Issue, diff: str, facts: str) -> str:
    """Return the message to the model: issue, diff and measured facts, all as data."""
    parts = [framed_issue(issue) if issue.text.strip() else "", "The diff:"]
    parts += [
        wrap_output("diff", shorten(clean_text(diff), LONGEST_DIFF)),
        "What was measured:",
        wrap_output("proof", clean_text(facts)),
    ]
    return "\n\n".join(filter(None, parts))


def model_remarks(engine: Engine, lines: Lines) -> tuple[list[Finding], str]:
    """Return the remarks in the model's answer, and why there is no answer, or "" if none was asked for.

    A remark on a line that the diff does not show gets no place; its text then names the place that it claims.
    """
    trajectory = engine.trajectory
    unread = next((note.text for note in trajectory.notes if note.kind == UNREAD), "")
    steps = [step for step in trajectory.all_steps() if step.branch.endswith(f"/{BRANCH}") and step.reply is not None]
    if not steps:
        return [], unread
    answer = trajectory.replies[steps[-1].branch, steps[-1].reply or 0].text
    return parse_remarks(mask_secrets(answer, engine.secrets), lines), unread


def parse_remarks(answer: str, lines: Lines) -> list[Finding]:
    """Return at most MOST remarks from an answer of lines `PATH:LINE: TEXT`. Other lines are remarks on the whole."""
    found = []
    for each in answer.splitlines():
        match = _REMARK.match(each)
        text = one_line(match["text"] if match else re.sub(r"^\s*[-*]\s+", "", each))[:LONGEST]
        if not text or _NOTHING.fullmatch(text):
            continue
        path, line = (match["path"].strip(), int(match["line"])) if match else ("", 0)
        if line in lines.get(path, ()):
            found.append(Finding("model-remark", text, path, line))
        else:
            found.append(Finding("model-remark", f"{one_line(path)}:{line}: {text}" if path else text))
    return found[:MOST]
