"""Comparison of two runs, step by step. Trees, success and exit codes are compared exactly. Text is compared after
masking the parts that vary between runs (times, durations, memory addresses, temporary paths, process ids, ports).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from trajectories.migrations import with_evidence
from trajectories.outcome_words import PART_LABELS
from trajectories.records import Action, Observation, Reply, Step
from trajectories.trajectory import Trajectory, replay_of

What = Literal["tree", "ok", "exit", "text", "action", "reply", "missing"]
PARTED = "parted"
"""Kind of the note after a replayed step that differs; the next step continues from the recorded tree."""
MOST = 2_000
"""Maximum number of characters of each side that a difference shows."""
AROUND = 200
"""Number of these characters that are shown before the first one that differs."""
BEFORE, AFTER = 3, 40
"""Maximum number of lines of a long text that are kept before the first different line, and from that line on."""
TOLD = {True: "yes", False: "no"}
PROOF = "proof"
MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
CLOCK = r"\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?"
UNITS = "ns|us|µs|ms|s|sec|secs|seconds?|minutes?|mins?|hours?|h"

MASKS = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        (r"\[This run was interrupted and resumed in a new workspace:[^\]]*\]\n?", ""),
        (rf"\b\d{{4}}-\d\d-\d\d(?:[T ]{CLOCK}(?: ?(?:Z|[+-]\d\d:?\d\d))?)?", "<time>"),
        (rf"\b(?:(?:{DAYS})\w{{0,6}},? )?\d{{1,2}} (?:{MONTHS})\w{{0,6}} \d{{4}}\b", "<time>"),
        (rf"\b(?:(?:{DAYS})\w{{0,6}},? )?(?:{MONTHS})\w{{0,6}} {{1,2}}\d{{1,2}}\b(?:,? \d{{4}}\b)?", "<time>"),
        (rf"(?<![\w:./-]){CLOCK}(?: ?[AP]M\b)?(?![\w:])(?: (?:UTC|GMT|CES?T|[+-]\d{{4}})(?: \d{{4}})?)?", "<time>"),
        (r"\b1\d{9}(?:\d{3})?(?:\.\d{1,9})?\b", "<time>"),
        (rf"\b(?:\d{{1,9}}m)?\d{{1,9}}(?:\.\d{{1,9}})?(?:e-?\d\d)? ?(?:{UNITS})\b", "<duration>"),
        (r"\b0x[0-9a-fA-F]{4,}\b", "<address>"),
        (r"\bswe-agent-local-\w+/[0-9a-f]{8}\b", "<workspace>"),
        (r"(?:/private)?/(?:var/folders/\w+/\w+/T|var/tmp|tmp|dev/shm)/[^\s/'\"`:;,()<>\]}]*(?:<workspace>)?", "<tmp>"),
        (r"\bpytest-of-\w+/pytest-\d+", "<tmp>"),
        (r"\btmp[a-z0-9_]{8}\b", "<tmp>"),
        (r"\b((?i:p?pid|process(?: id)?))([ =:#]{1,3})\d+", r"\1\2<pid>"),
        (r"(?m)^(\[\d+\][+-]?) +\d+", r"\1 <pid>"),
        (r"(\b\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]{2,39}\]|\blocalhost):\d{1,5}\b", r"\1:<port>"),
        (r"\b((?i:port))([ =:#]{1,3})\d+", r"\1\2<port>"),
        (r"\bout:\d+", "out:<n>"),
    )
)
"""Patterns of text that varies between runs, with their placeholders; the order matters, because earlier masks hide
text that later patterns would match by mistake."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference at step `n` of `branch`; a side is empty if its run has no such step. For `ok` and `exit`, the first
    line of each side is the compared value, and the text follows. The text may contain control characters, so clean it
    before printing it to a terminal."""

    branch: str
    n: int
    what: What
    left: str
    right: str

    @property
    def id(self) -> str:
        return f"{self.branch}#{self.n}"


@dataclass(frozen=True, slots=True)
class RunComparison:
    """The result of a comparison. `same` is the number of steps that agree, ignoring differences in text. `first` is
    the first of the `differences`, in the order of the left run. `texts` are the differences of steps that differ only
    in text."""

    same: int
    first: Difference | None
    differences: tuple[Difference, ...]
    texts: tuple[Difference, ...]


def compare_runs(left: Trajectory, right: Trajectory) -> RunComparison:
    """Compare the steps of both runs that have the same branch and number.

    A branch is compared up to the first step with different actions, because later steps with the same number do not
    correspond. A difference between trees that persists unchanged is reported once, except in a replay, where each step
    starts from the recorded tree.
    """
    again = bool(replay_of(right))
    same = 0
    differences: list[Difference] = []
    texts: list[Difference] = []
    over: set[str] = set()
    trees: dict[str, tuple[str, str]] = {}
    for a, b in _pairs(left, right):
        branch, n = (a or b).branch, (a or b).n  # type: ignore[union-attr]
        if branch in over:
            continue
        if a is None or b is None:
            over.add(branch)
            differences.append(Difference(branch, n, "missing", _head(left, a), _head(right, b)))
            continue
        before = None if again else trees.get(branch)
        trees[branch] = a.tree, b.tree
        exact, loose = compare_steps(a, b, _reply(left, a), _reply(right, b))
        exact = [each for each in exact if each.what != "tree" or before != (a.tree, b.tree)]
        differences += exact
        if any(each.what in ("action", "reply") for each in exact):
            over.add(branch)
        elif not exact:
            same += 1
            texts += loose
    return RunComparison(same, differences[0] if differences else None, tuple(differences), tuple(texts))


def compare_steps(a: Step, b: Step, one: Reply | None = None, two: Reply | None = None) -> tuple[list[Difference], ...]:
    """Return the exact differences between two steps and their replies, and the differences in text only. If the
    actions differ, nothing else is reported."""
    exact: list[Difference] = []
    loose: list[Difference] = []

    def differs(what: What, left: str, right: str, into: list[Difference] | None = None) -> None:
        (exact if into is None else into).append(Difference(a.branch, a.n, what, *_short(left, right)))

    words = _masked_difference(one.text if one else "", two.text if two else "")
    if (a.author, _acts(a.actions), a.error) != (b.author, _acts(b.actions), b.error):
        differs("action", _step_summary(a), _step_summary(b))
        return exact, loose
    if words:
        differs("reply", *words, loose if a.actions else exact)
    if a.tree != b.tree:
        differs("tree", a.tree, b.tree)
    for seen, met in zip_longest(a.observations, b.observations):
        sides = _exact_part(a, seen), _exact_part(b, met)
        if sides[0] != sides[1]:
            both = seen is not None and met is not None and "code" in seen.data and "code" in met.data
            differs("exit" if both else "ok", _with_text(sides[0], seen), _with_text(sides[1], met))
        elif seen and met and (texts := _masked_difference(seen.text, met.text)):
            differs("text", *texts, loose)
    return exact, loose


def _masked_difference(left: str, right: str) -> tuple[str, str] | None:
    """Return both texts with variable parts masked, or None if they are equal after masking. A mask never spans lines,
    so in long texts only different lines are masked; the returned text starts shortly before the first different
    line."""
    if left == right:
        return None
    lines, others = left.split("\n"), right.split("\n")
    begin = ""
    if len(lines) == len(others) and max(len(left), len(right)) > MOST:
        pairs = enumerate(zip(lines, others, strict=True))
        at = next((n for n, (a, b) in pairs if a != b and mask_variable_parts(a) != mask_variable_parts(b)), None)
        if at is None:
            return None
        shown = slice(max(0, at - BEFORE), at + AFTER)
        left, right = "\n".join(lines[shown]), "\n".join(others[shown])
        begin = "…\n" if shown.start else ""
    one, two = mask_variable_parts(left), mask_variable_parts(right)
    return None if one == two else (begin + one, begin + two)


def mask_variable_parts(text: str) -> str:
    """Return the text with placeholders for parts that vary between runs."""
    for pattern, put in MASKS:
        text = pattern.sub(put, text)
    return text


def _pairs(left: Trajectory, right: Trajectory) -> Iterator[tuple[Step | None, Step | None]]:
    """Yield pairs of steps with the same branch and number, in the left run's order, then the steps that only the right
    run has."""
    others = {(step.branch, step.n): step for step in right.all_steps()}
    for step in left.all_steps():
        yield step, others.pop((step.branch, step.n), None)
    for step in others.values():
        yield None, step


def _reply(trajectory: Trajectory, step: Step) -> Reply | None:
    return None if step.reply is None else trajectory.replies.get((step.branch, step.reply))


def _exact_part(step: Step, seen: Observation | None) -> str:
    """Describe the part of an observation that is compared exactly."""
    if seen is None:
        return "not done"
    verdict = seen.data.get("verdict") if step.author == PROOF else None
    if isinstance(verdict, dict):
        verdict = with_evidence(verdict)
        told = {name: TOLD[value] for name in PART_LABELS if (value := verdict.get(name)) in TOLD}
        parts = [f"{PART_LABELS[name]}: {answer}" for name, answer in told.items()]
        return f"{verdict.get('kind')} ({', '.join(parts) or 'not checked'})"
    code = seen.data.get("code")
    return ("ok" if seen.ok else "not ok") + (f", exit code {code}" if code is not None else "")


def _with_text(judged: str, seen: Observation | None) -> str:
    """Return the compared value as the first line, followed by the masked text."""
    return f"{judged}\n{mask_variable_parts(seen.text)}" if seen else judged


def _acts(actions: Sequence[Action]) -> list[tuple[str, str]]:
    return [(action.tool, mask_variable_parts(repr(sorted(action.arguments.items())))) for action in actions]


def _step_summary(step: Step) -> str:
    """Describe who did what in a step."""
    done = "; ".join(f"{action.tool} {action.arguments}" for action in step.actions)
    return f"{step.author}: {done or step.error or 'no action'}"


def _head(trajectory: Trajectory, step: Step | None) -> str:
    if step is None:
        return ""
    reply = _reply(trajectory, step)
    said = reply.text if reply and not step.actions else ""
    return _cut(f"{_step_summary(step)}{f': {said}' if said else ''}", 0)


def _short(left: str, right: str) -> tuple[str, str]:
    """Shorten both sides to start shortly before the first difference."""
    if max(len(left), len(right)) <= MOST:
        return left, right
    at = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    start = max(0, at - AROUND)
    return _cut(left, start), _cut(right, start)


def _cut(text: str, start: int) -> str:
    shown = text[start : start + MOST]
    return f"{'…' if start else ''}{shown}{'…' if start + MOST < len(text) else ''}"
