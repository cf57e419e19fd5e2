"""Findings of a run, each with a rule and a place."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import one_line

Level = Literal["error", "warning", "note"]
LONGEST = 1_000
"""Maximum number of characters of a finding's text."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding: its level as in SARIF, a name, and what it means. `group` is its heading in a review."""

    level: Level
    group: str
    name: str
    meaning: str


RULES = {
    "broken-test": Rule("error", "Broken tests", "Broken test", "A test that passed before fails with the change."),
    "not-verified": Rule("warning", "Proof", "Not verified", "The proof of the change lacks a part or evidence."),
    "proof-limit": Rule("note", "Proof", "Limit of the proof", "What the proof does not cover, or found beside it."),
    "affected-caller": Rule(
        "warning", "Callers", "Affected caller", "Calls outside the change may break: it changes a signature."
    ),
    "unchanged-mirror": Rule("note", "Similar code", "Unchanged mirror", "Code that probably needs the same change."),
    "behaviour-change": Rule(
        "note", "Changes of behaviour", "Change of behaviour", "How the change alters what existing code does."
    ),
    "shown-change": Rule("note", "Changes of behaviour", "Shown change", "What an experiment showed the change to do."),
    "changed-default": Rule(
        "warning", "Changes of behaviour", "Changed default", "Another literal as a default, not named by the issue."
    ),
    "new-check-finding": Rule(
        "warning", "Checks of the repository", "New finding of a check", "A linter or type checker reports it anew."
    ),
    "missing-test": Rule("warning", "Missing tests", "Missing test", "No test needs this part of the change."),
    "missing-companion": Rule(
        "note", "Missing tests", "Missing companion", "Most earlier changes came with such a file."
    ),
    "debug-output": Rule("warning", "Not needed", "Debug output", "A print, log or debugger call."),
    "unused-definition": Rule("note", "Not needed", "Unused definition", "A new name that nothing uses."),
    "rename": Rule("note", "Not needed", "Rename", "A name that is replaced everywhere."),
    "reformatting": Rule("note", "Not needed", "Reformatting", "Other layout of code that stays the same."),
    "deleted-comment": Rule("note", "Not needed", "Deleted comment", "A comment or docstring whose code stays."),
    "model-remark": Rule("note", "Remarks of the model", "Remark of a model", "A model said this; nothing checked it."),
    "faster-function": Rule("note", "Speed", "Faster function", "The function executes fewer instructions."),
    "hot-function": Rule("note", "Speed", "Hot function", "A function that takes much of the workload's time."),
    "refused-candidate": Rule("note", "Speed", "Refused candidate", "A faster version that was refused, and why."),
}
"""All rules by id, in the order in which a reviewer should look at their findings."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding of the rule `rule`. `line` is a line of the new file, for `optimize` of the base, from 1; 0 is the
    whole file. Without a `path` it is about the whole change."""

    rule: str
    text: str
    path: str = ""
    line: int = 0

    @property
    def level(self) -> Level:
        return RULES[self.rule].level

    @property
    def where(self) -> str:
        """The place as `PATH:LINE`, or ""."""
        return f"{self.path}:{self.line}" if self.line else self.path

    @property
    def sentence(self) -> str:
        """The text with its place, unless the text names it."""
        return self.text if self.where in self.text else f"{self.where}: {self.text}"


def clean_findings(found: Iterable[Finding], secrets: Collection[str]) -> list[Finding]:
    """Return the findings in the order of RULES, without repetitions, on one line each, with secrets masked."""
    hide = partial(mask_secrets, secrets=secrets)
    order = {rule: at for at, rule in enumerate(RULES)}
    clean = dict.fromkeys(replace(one, text=_cut(one_line(hide(one.text)))) for one in found)
    return sorted(clean, key=lambda one: order[one.rule])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
