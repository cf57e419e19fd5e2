"""Second experiment on the generality of a patch: copies of its reproducing tests with changed literals.

It is used if the calls of the tests cannot be recorded or varied: arguments cannot be copied, only new functions run,
or too few variants are valid.
"""

from __future__ import annotations

from collections.abc import Sequence

from aci.proof.experiments import Generality
from aci.proof.fact_words import SAME_BASE_ANSWER, changed_behaviour, same_answer
from extensions.experiment.changed_functions import ChangedFile
from extensions.experiment.compared_calls import ComparedCall, parse_calls
from extensions.experiment.evaluator.candidate_evaluator import Evaluator
from extensions.experiment.generality import (
    LEAST_VALID,
    LITERAL_SHARE,
    Comparison,
    describe_job,
    is_simple,
    is_valid,
    judge_generality,
    why_one_value,
)
from extensions.experiment.listed_values import Listed
from trajectories.facts import Fact

SECONDS = 20.0


def lacks_variants(calls: Sequence[ComparedCall]) -> bool:
    """Whether these calls cannot decide: no answer differs in the tests, or too few variants are valid."""
    seeds = [call for call in calls if not call.made]
    if seeds and all(special for call in seeds for _, _, special in call.arguments):
        return False
    return sum(call.made and not call.probe and is_valid(call, seeds) for call in calls) < LEAST_VALID


def compare_copies(
    evaluator: Evaluator, files: Sequence[ChangedFile], tests: Sequence[str], seconds: float = SECONDS
) -> list[ComparedCall]:
    """Return the calls that base and patch answer differently in the tests, and the same calls in copies of them, as
    many as run in so many seconds."""
    return parse_calls(evaluator.ask(describe_job("copies", files, tests), seconds), "copies")


def judge_comparison(
    comparison: Comparison, issue: str, listed: Listed = frozenset(), added: str = ""
) -> tuple[Generality, Fact]:
    """Return whether the patch is general, and the reason: by the calls, else by the copies."""
    found = judge_generality(comparison.calls, issue, listed, added)
    if found[0] != "undecided" or not comparison.copies:
        return found
    return judge_copies(comparison.copies, issue, listed)


def judge_copies(calls: Sequence[ComparedCall], issue: str, listed: Listed = frozenset()) -> tuple[Generality, Fact]:
    """Judge the calls in copies of the tests, each copy by its first call that the versions answer differently.

    Copies in which a call says nothing are left out. The copies keep the structure of the tests' values, on which alone
    the answer of a right patch may depend, so that always the same answer decides nothing. A patch for one of several
    values changes the behaviour as long as that value stays, which decides nothing either.
    """
    seeds = [call for call in calls if not call.made]
    copies: dict[str, list[ComparedCall]] = {}
    for call in calls:
        if call.made:
            copies.setdefault(call.copy, []).append(call)
    valid = [copy for copy in copies.values() if all(is_valid(call, seeds) for call in copy)]
    chosen = [next((call for call in copy if call.base != call.patch), copy[0]) for copy in valid]
    differing = [call for call in chosen if call.base != call.patch]
    count = f"{len(differing)} of {len(chosen)} copies of the tests with other values"
    if len(chosen) < LEAST_VALID:
        return "undecided", Fact(
            "limit", f"Only {len(chosen)} copies of the tests with other values could be compared."
        )
    if not differing:
        reason = why_one_value(seeds, issue, listed)
        return ("undecided", reason) if reason else ("examples only", changed_behaviour(count))
    own = {call.patch for call in seeds}
    if all(call.patch in own for call in (chosen if is_simple(own) else differing)):
        return "undecided", same_answer(count)
    changes = {(call.base, call.patch) for call in seeds if not is_simple(own)}
    if sum((call.base, call.patch) not in changes for call in differing) <= 1 < len(differing):
        return "undecided", SAME_BASE_ANSWER
    whole = {call for call in chosen if call.whole}
    if len(differing) <= max(1, LITERAL_SHARE * len(chosen)) or (whole and whole.isdisjoint(differing)):
        return "undecided", changed_behaviour(count, ", which keep some of the tests' values")
    return "shown", changed_behaviour(count)
