"""Second experiment on the generality of a patch: copies of its reproducing tests with changed literals.

It is used if the calls of the tests cannot be recorded or varied: arguments cannot be copied, only new functions run,
or too few variants are valid.
"""

from __future__ import annotations

from collections.abc import Sequence

from aci.proof.changed_functions import ChangedFile
from aci.proof.generality import (
    LEAST_VALID,
    LITERAL_SHARE,
    ComparedCall,
    Comparison,
    Generality,
    describe_job,
    is_valid,
    judge_generality,
    parse_calls,
)
from aci.repair.candidate_evaluator import Evaluator

SECONDS = 20.0
KEPT = "The patch changes the behaviour only for copies of the tests that keep some of their values."


def lacks_variants(calls: Sequence[ComparedCall]) -> bool:
    """Whether these calls cannot decide: no answer differs in the tests, or too few variants are valid."""
    seeds = [call for call in calls if not call.made]
    if seeds and all(special for call in seeds for _, _, special in call.arguments):
        return False
    return sum(call.made and is_valid(call, seeds) for call in calls) < LEAST_VALID


def compare_copies(
    evaluator: Evaluator, files: Sequence[ChangedFile], tests: Sequence[str], seconds: float = SECONDS
) -> list[ComparedCall]:
    """Return the calls that base and patch answer differently in the tests, and the same calls in copies of them, as
    many as run in so many seconds."""
    return parse_calls(evaluator.ask(describe_job("copies", files, tests), seconds), "copies")


def judge_comparison(comparison: Comparison, issue: str) -> tuple[Generality, str]:
    """Return whether the patch is general, and the reason as a sentence: by the calls, else by the copies."""
    found = judge_generality(comparison.calls, issue)
    if found[0] != "undecided" or not comparison.copies:
        return found
    return judge_copies(comparison.copies, issue)


def judge_copies(calls: Sequence[ComparedCall], issue: str) -> tuple[Generality, str]:
    """Judge the calls in copies of the tests, each copy by its first call that the versions answer differently.

    Copies in which a call says nothing are left out. A patch for one of several values changes the behaviour as long as
    that value stays; then nothing is decided.
    """
    seeds = [call for call in calls if not call.made]
    copies: dict[str, list[ComparedCall]] = {}
    for call in calls:
        if call.made:
            copies.setdefault(call.copy, []).append(call)
    valid = [copy for copy in copies.values() if all(is_valid(call, seeds) for call in copy)]
    chosen = [next((call for call in copy if call.base != call.patch), copy[0]) for copy in valid]
    found = judge_generality([*seeds, *chosen], issue)
    differs = [call.base != call.patch for call in chosen if call.whole]
    if found[0] == "shown" and differs and sum(differs) <= LITERAL_SHARE * len(differs):
        return "undecided", KEPT
    return found
