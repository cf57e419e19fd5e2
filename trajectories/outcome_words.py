"""The words for how runs end: a table from the kinds of endings, and the ending of a run from its last record.

Every list, page and message takes its words from here, so that none of them claims more than the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from trajectories.records import Exit
from trajectories.trajectory import PROPOSAL, Trajectory
from trajectories.verdict import WHOLE, Verdict

Tone = Literal["good", "warning", "bad", "neutral"]


@dataclass(frozen=True, slots=True)
class Ending:
    """The words for one kind of ending."""

    headline: str
    """A sentence for the reader of one run."""
    label: str
    """One to four words, for a list of runs."""
    tone: Tone
    """How good the ending is, from which each display derives its colour."""


ENDINGS: Mapping[str, Ending] = {
    "verified": Ending("Verified: tests prove the patch.", "verified", "good"),
    "plausible": Ending("Plausible: the patch passes its tests.", "plausible", "warning"),
    "disputed": Ending(Verdict("disputed").headline, "disputed", "bad"),
    "faster": Ending(Verdict("faster").headline, "faster", "good"),
    "unproven": Ending("Unproven: there is a patch, but the proof is not complete.", "unproven", "warning"),
    "not_found": Ending("No fix was found.", "no fix", "warning"),
    "budget": Ending("The budget is used up.", "budget", "warning"),
    "limit": Ending("A limit of steps or time was reached.", "limit", "warning"),
    "error": Ending("The model could not continue.", "error", "bad"),
    "stuck": Ending("The model repeated itself and was stopped.", "stuck", "warning"),
    "asked": Ending("The run waits for answers to its questions.", "waits for an answer", "warning"),
    "interrupted": Ending("Interrupted; the changes so far are kept.", "interrupted", "warning"),
    "answered": Ending("Answered.", "answered", "neutral"),
    "done": Ending("Done.", "done", "neutral"),
    "undone": Ending("Undone or redone.", "undone", "neutral"),
    "written": Ending(
        "Tests were written: they pass every time, and describe the code's present behaviour.", "written", "good"
    ),
    "replayed": Ending("Replayed: only texts differ.", "replayed", "good"),
    "parted": Ending("Replayed: it diverges from the recorded run.", "parted", "warning"),
}
"""How a run or a turn ends, by `Exit.kind`. For a kind of verdict, the verdict's own headline says more."""

WITHOUT_EXIT: Mapping[str, Ending] = {
    "open": Ending("Not finished.", "resumable", "warning"),
    "running": Ending("Running.", "running", "neutral"),
    "damaged": Ending("The run is damaged.", "damaged", "bad"),
    "newer": Ending("The run was made by a newer version.", "of a newer version", "neutral"),
    "": Ending("The run has not begun.", "not begun", "neutral"),
}
"""States of a run that has no ending, or whose ending cannot be read."""

BATCH_ENDINGS: Mapping[str, Ending] = {
    "empty": Ending("The run ended without a patch.", "no patch", "warning"),
    "infrastructure": Ending("The machine, an image or the instance failed, not the model.", "infrastructure", "bad"),
}
"""Endings that only a batch tells apart."""

NO_CHANGE = Ending("The patch changes nothing.", "no change", "warning")
NO_ISSUE = "No issue was given."

PART_SENTENCES: Mapping[str, str] = {
    "red": "a test fails without the patch",
    "green": "it passes with the patch",
    "red_again": "it fails again without the source changes",
    "no_loss": "all tests that passed before still pass",
}
"""What each part of a proof says if it is true, by its field in `Verdict`."""
PART_LABELS: Mapping[str, str] = {
    "red": "fails without the patch",
    "green": "passes with it",
    "red_again": "fails again",
    "no_loss": "no test broken",
}
"""The same in a few words; "it" is the patch, and the test that shows the issue fails and passes."""
NO_NEW_FAILURE = "no new test fails"


def judged_parts(verdict: Verdict) -> list[tuple[str, bool | None]]:
    """Return the label and the result of each part of a proof, and of new tests if some fail."""
    parts = [(words, getattr(verdict, part)) for part, words in PART_LABELS.items()]
    return [*parts, (NO_NEW_FAILURE, False)] if verdict.new_failures else parts


def ending_of(exit: Exit, is_given: bool = False, has_issue: bool = True) -> Ending:
    """Return the words for the end of a run or turn; the words for an unknown kind are its name.

    If the patch `is_given`, as to `prove` and `review`, the ending is about the patch, whatever ended the run.
    `has_issue` is whether there is an issue that the patch should solve.
    """
    if is_given and exit.kind == "not_found":
        return NO_CHANGE
    known = {**ENDINGS, **WITHOUT_EXIT}.get(exit.kind, Ending(exit.kind, exit.kind, "neutral"))
    if not is_given and exit.kind != exit.verdict.kind:
        return known
    words = proof_headline(exit.verdict, stopped=bool(exit.message))
    if exit.verdict.complete and not has_issue:
        words = f"{words} {NO_ISSUE}"
    return replace(known, headline=words, tone=verdict_tone(exit.verdict))


def patch_word(kind: str) -> str:
    """Return the word for a patch with a verdict of this kind: `verified`, `plausible`, `disputed`, `unproven` …"""
    return ENDINGS[kind].label if kind in WHOLE else ENDINGS["unproven"].label


def proof_headline(verdict: Verdict, stopped: bool = False) -> str:
    """Return a verdict in a sentence; `stopped` is whether the run was stopped before its end."""
    if stopped and not verdict.complete and not verdict.is_tested:
        return "No verdict: the proof was stopped before its end."
    return verdict.headline


def verdict_tone(verdict: Verdict) -> Tone:
    """Return how good a verdict is."""
    return "good" if verdict.verified else "bad" if verdict.kind == "disputed" else "warning"


def run_ending(trajectory: Trajectory, exit: Exit) -> Ending:
    """Return the words for an ending of this run. A given patch is the subject of the first turn only."""
    turns_at = [*trajectory.turns_at[1:], len(trajectory.records)]
    in_first_turn = len(turns_at) == 1 or exit in trajectory.records[: turns_at[0]]
    is_given = in_first_turn and any(note.kind == PROPOSAL for note in trajectory.notes)
    has_issue = not is_given or trajectory.run is None or bool(trajectory.run.issue.text.strip())
    return ending_of(exit, is_given, has_issue)
