"""The words for how runs end: one table, and no ending that says more than the verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.console.run_display import COLOURS, Console
from extensions.interactive.tui.widgets.outcome_items import STYLES, end_lines
from extensions.lab.batch.reports.outcome_reasons import COLOURS as BATCH_COLOURS
from extensions.lab.batch.reports.outcome_reasons import OUTCOME_REASONS
from extensions.run_views.commands.runs import STATES, _states
from trajectories.outcome_words import BATCH_ENDINGS, ENDINGS, WITHOUT_EXIT, ending_of, proof_headline, run_ending
from trajectories.records import Base, Exit, Issue, Note, Run, Turn
from trajectories.trajectory import PROPOSAL, Trajectory
from trajectories.verdict import EARLIER_RULES, Verdict

PARTS = dict.fromkeys(("red", "green", "red_again", "no_loss"), True)
SHOWN = Verdict("verified", **PARTS, generality="shown", evidence="blind tests")
PLAUSIBLE = Verdict("plausible", **PARTS, generality="undecided", evidence="none")
EARLIER = replace(PLAUSIBLE, conditions=(EARLIER_RULES,))
DISPUTED = Verdict("disputed", **PARTS, evidence="none")
LOST = Verdict("unproven", red=True, green=True, no_loss=False, lost=("t::a",))
UNTESTED = Verdict("unproven")


def proved(verdict: Verdict, issue: str = "", kind: str = "", message: str = "") -> Trajectory:
    """Return the run of a patch that was given, with this verdict."""
    return Trajectory(
        (
            Run("r", Issue(issue), "/repo", Base("c" * 40, "t")),
            Turn(issue or "prove", "prove"),
            Note("main", PROPOSAL, "Proposed.", {"tree": "t"}),
            Exit(kind or verdict.kind, 6, "t", verdict, message),
        )
    )


@pytest.mark.parametrize(
    "verdict", [SHOWN, PLAUSIBLE, EARLIER, DISPUTED, LOST, UNTESTED, replace(SHOWN, kind="unproven")]
)
def test_no_display_says_more_than_the_verdict(verdict: Verdict, capsys: pytest.CaptureFixture[str]) -> None:
    exit = Exit(verdict.kind, 0, verdict=verdict)
    assert ending_of(exit).headline == verdict.headline
    Console(plain=True).ending(exit, None)
    assert capsys.readouterr().out.startswith(f"{verdict.headline}\n")
    assert end_lines(exit)[-1].text == verdict.headline
    assert (ending_of(exit).tone == "good") == (verdict is SHOWN)


def test_verdict_always_has_a_headline() -> None:
    assert SHOWN.headline.startswith("Verified: ")
    assert SHOWN.headline.endswith("; tests that were written without the change agree.")
    assert PLAUSIBLE.headline.startswith("Plausible: ")
    assert EARLIER.headline.startswith("Plausible (verified under the rules of 0.2): ")
    assert DISPUTED.headline.startswith("Disputed: ")
    assert LOST.headline.startswith("Unproven: ")
    for kind in ("verified", "faster", "plausible", "disputed", "unproven", "none"):
        assert Verdict(kind).headline
    assert proof_headline(UNTESTED, stopped=True) == "No verdict: the proof was stopped before its end."
    assert proof_headline(SHOWN, stopped=True) == SHOWN.headline


@pytest.mark.parametrize("issue", ["", "add() subtracts"])
@pytest.mark.parametrize(
    ("verdict", "kind", "message"),
    [
        (SHOWN, "", ""),
        (PLAUSIBLE, "", ""),
        (LOST, "", ""),
        (UNTESTED, "limit", "The time is over."),
        (Verdict(), "not_found", ""),
    ],
)
def test_prove_says_whether_there_was_an_issue(verdict: Verdict, kind: str, message: str, issue: str) -> None:
    trajectory = proved(verdict, issue, kind, message)
    assert trajectory.exit
    ending = run_ending(trajectory, trajectory.exit)
    assert ending.headline.endswith(" No issue was given.") == (verdict.complete and not issue)
    if kind == "limit":
        assert ending.headline == "No verdict: the proof was stopped before its end."
    if kind == "not_found":
        assert ending.headline == "The patch changes nothing."


@pytest.mark.parametrize(("kind", "headline"), [("answered", "Answered."), ("budget", "The budget is used up.")])
def test_later_turns_of_a_given_patch_have_their_own_endings(kind: str, headline: str) -> None:
    """A run that began with `prove` can be continued in a session."""
    first = proved(PLAUSIBLE, "add() subtracts")
    later = Exit(kind, 4, at=9.0)
    whole = Trajectory((*first.records, Turn("Why?", "converse"), later))
    assert first.exit
    assert run_ending(whole, first.exit).headline == PLAUSIBLE.headline
    assert run_ending(whole, later).headline == headline


def test_every_kind_has_words_and_every_tone_a_colour() -> None:
    for ending in (*ENDINGS.values(), *WITHOUT_EXIT.values(), *BATCH_ENDINGS.values()):
        assert ending.headline.endswith(".")
        assert 0 < len(ending.label.split()) <= 4
        assert ending.tone in COLOURS.keys() & STYLES.keys() & BATCH_COLOURS.keys()
    assert OUTCOME_REASONS.items() <= {**ENDINGS, **BATCH_ENDINGS}.items()
    assert all(_states([state, words.label]) == (state, state) for state, words in STATES.items() if state)
    assert _states(["not begun"]) == ("",)
    assert ending_of(Exit("of a plug-in", 1)).headline == "of a plug-in"
