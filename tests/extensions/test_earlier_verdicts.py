"""Verdicts that earlier versions recorded with sentences instead of facts: each reader shows what it showed then.

`journals/verdicts` was written by version 2 of the journal.
"""

from __future__ import annotations

import json
from pathlib import Path

from agent.engine.engine import environment_facts
from agent.engine.proof_step import is_untested, regression_message, verdict_of, verdict_text
from agent.patch_checks.review_focus import reviewer_notes
from agent.run_state.attempt_outcome import load_outcome
from extensions.github.pull_request.pull_request_body import proof
from extensions.github.task.result_file import Outcome
from extensions.review.patch_findings import _of_merge_review, _of_verdict
from trajectories.journal import read
from trajectories.records import Exit, Once, Step
from trajectories.verdict import Verdict

JOURNAL = Path(__file__).parents[1] / "trajectories" / "journals" / "verdicts"
LINES = [json.loads(line) for line in (JOURNAL / "journal.jsonl").read_bytes().splitlines()]
NOTES = LINES[-1]["verdict"]["notes"]
OTHERS = {"checks": (), "commands": (), "lost": ()}


def end() -> Exit:
    last = read(JOURNAL).records[-1]
    assert isinstance(last, Exit)
    return last


def verdict() -> Verdict:
    return end().verdict


def test_words_are_those_recorded() -> None:
    assert LINES[0]["version"] == 2
    assert list(verdict().notes) == NOTES


def test_model_is_shown_problems_only() -> None:
    shown = verdict_text(verdict())
    hidden = [note for note in NOTES if note not in shown]
    assert [note.split()[0] for note in hidden] == ["The", "The", "The", "Run", "Pages", "The"]
    assert all(f"- {note}" in verdict_text(verdict(), whole=True) for note in NOTES)


def test_reviewer_is_shown_limits_only() -> None:
    starts = [
        "The patch changes",
        "Removed from",
        "A check of",
        "add (calc.py:1)",
        "Pages were compared",
        "Step main#3",
    ]
    shown = reviewer_notes(LINES[-1]["verdict"])
    assert len(shown) == len(starts)
    assert all(note.startswith(start) for note, start in zip(shown, starts, strict=True))


def test_findings_have_their_rules() -> None:
    found = [(one.rule, one.where) for one in _of_verdict(verdict(), ("calc.py",))]
    assert found == [
        ("not-verified", ""),  # without independent evidence
        ("shown-change", ""),
        ("behaviour-change", ""),
        ("affected-caller", "calc.py:1"),
        ("proof-limit", ""),
        ("proof-limit", ""),
    ]


def test_pull_request_counts_tests_of_suite() -> None:
    recorded = Outcome("", 0, {"verdict": OTHERS | LINES[-1]["verdict"]}, "base")
    counts = "(12 passed, 2 failed as before; the suite did not run to its end)"
    assert f"All tests that passed before still pass {counts}." in proof(recorded)


def test_recorded_proof_without_tests_is_untested() -> None:
    trajectory = read(JOURNAL)
    (step,) = (record for record in trajectory.records if isinstance(record, Step))
    (result,) = (record for record in trajectory.records if isinstance(record, Once))
    for earlier in (verdict_of(step), load_outcome(result.value).verdict):
        assert is_untested(earlier)
        assert regression_message(earlier).startswith("No test ran before the change")


def test_notes_on_environment_become_facts() -> None:
    assert [fact.kind for fact in environment_facts(read(JOURNAL))] == ["environment", "limit"]


def test_review_without_facts_is_read_from_its_notes() -> None:
    notes = [
        "The tests that show the issue pass without 7 of 9 hunks: calc.py:8, app.py:2, b.py:1 and 4 more.",
        "20 of the last 22 changes to source came with a test; this one does not.",
        "20 of the last 22 changes to source came with an entry in the changelog; this one does not.",
    ]
    found = [(one.rule, one.where) for one in _of_merge_review({"notes": notes}, ("calc.py", "app.py"))]
    assert found == [
        ("missing-test", "calc.py:8"),
        ("missing-test", "app.py:2"),
        ("missing-test", ""),
        ("missing-companion", ""),
    ]
