"""The verdict of a proof: its parts, the evidence behind it, and its words.

`verified` and `faster` are backed by a whole proof, `verified` with evidence by somebody else than the author of the
patch; `plausible` lacks this evidence, `disputed` has it against the patch, `unproven` lacks a part of the proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trajectories.facts import Fact

PROVEN = frozenset({"verified", "faster"})
"""Kinds of verdicts, and of exits, that mean that the patch is backed by a whole proof, for `verified` with
independent evidence."""

COMPLETE = PROVEN | {"plausible"}
"""Kinds of verdicts of which all parts of the proof hold and nothing speaks against the patch."""

WHOLE = COMPLETE | {"disputed"}
"""Kinds of verdicts of which all parts of the proof hold, whatever independent evidence says."""

EARLIER_RULES = "rules of 0.2"
"""The condition of a verdict that was `verified` when this needed no independent evidence."""

PASSES = "a test fails without the change and passes with it, and no test that passed before fails"
EVIDENCE_WORDS = {
    "blind tests": "; tests that were written without the change agree",
    "earlier tests": "; the test existed before the change",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the proof. Each of `red`, `green`, `red_again` and `no_loss` is true, false, or null if the proof
    could not decide it. They say whether a test failed without the patch (`red`), passed with the patch (`green`) and
    failed again without the source part of the patch (`red_again`), and whether all tests that passed before still pass
    (`no_loss`).

    `kind` is `plausible` if all of them hold, and `verified` if, in addition, evidence by somebody else than the author
    of the patch agrees: `evidence` is `blind tests` (written without the patch), `earlier tests` (that existed before
    it), or `none`, and "" if a part of the proof is missing. `disputed` means that such evidence disagrees.

    `generality` says whether the patch changes the behaviour for more inputs than the examples in its tests: `shown`,
    `examples only` or `undecided`. It is "" if the proof did not examine this.

    `tests` lists the tests that reproduce the issue. `compared` says which results `no_loss` is based on, such as
    `85 tests (cut off after 60 s)`. `lost` lists the tests that passed before and do not pass with the patch.
    `contradicted` lists the existing tests that assert what the issue reports as wrong, each with both expectations;
    they do not pass with the patch and are not lost.
    `flaky` lists the tests that were excluded because their results vary. `conditions` lists what the kind `faster`
    does not say: `large inputs` if the recorded calls do not become faster, and `recorded types` if the new code does
    not accept a type of values that the old code accepts and that no recorded call has. For `plausible`, `rules of 0.2`
    means that the verdict was `verified` when this needed no independent evidence.

    `commands` lists shell commands that repeat the proof. `failures` lists what failed with the patch. `facts` limit
    or explain the verdict, and `notes` are their words.
    """

    kind: Literal["verified", "faster", "plausible", "disputed", "unproven", "none"] = "none"
    granularity: Literal["test", "file", "command"] = "test"
    red: bool | None = None
    green: bool | None = None
    red_again: bool | None = None
    no_loss: bool | None = None
    compared: str = ""
    generality: Literal["", "shown", "examples only", "undecided"] = ""
    evidence: Literal["", "none", "blind tests", "earlier tests"] = ""
    checks: tuple[str, ...] = ()
    contradicted: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(fact.text for fact in self.facts)

    @property
    def new_failures(self) -> tuple[str, ...]:
        """The tests that fail with the patch, and that did not exist or were skipped without it."""
        values = (fact.data.get("tests", ()) for fact in self.facts if fact.kind == "new_failures")
        return tuple(test for value in values if isinstance(value, (tuple, list)) for test in value)

    @property
    def verified(self) -> bool:
        """Whether the patch is backed by a whole proof, with independent evidence."""
        return self.kind in PROVEN

    @property
    def complete(self) -> bool:
        """Whether all parts of the proof hold and nothing speaks against the patch."""
        return self.kind in COMPLETE

    @property
    def may_be_judged(self) -> bool:
        """Whether independent evidence decides: the proof is complete, apart perhaps from an experiment which finds
        that does not show more than that the patch solves its examples."""
        parts = (self.red, self.green, self.red_again, self.no_loss)
        is_fitted = self.kind == "unproven" and self.generality == "examples only" and all(parts)
        return self.complete or (is_fitted and all(fact.kind != "doubt" for fact in self.facts))

    def is_accepted(self, weakest: str) -> bool:
        """Whether the patch is verified, or has the `weakest` word that the user accepts (the setting `accept`)."""
        return self.verified or self.kind == weakest

    @property
    def is_tested(self) -> bool:
        """Whether tests judged anything. Without a test for the issue, `red` is None although tests ran."""
        return self.red is not None or self.no_loss is not None

    @property
    def headline(self) -> str:
        """The verdict in a sentence, which claims no more than the parts of the proof show."""
        if self.kind == "faster":
            where = " on large inputs" if "large inputs" in self.conditions else ""
            same = "same results" + (" for values of the recorded types" if "recorded types" in self.conditions else "")
            calls = "; the recorded calls need no fewer instructions" if where else ", fewer instructions"
            return f"Faster{where}: {same}{calls}."
        if self.kind == "verified":
            return f"Verified: {PASSES}{EVIDENCE_WORDS.get(self.evidence, '')}{self._contradicted_tests}."
        if self.kind == "plausible":
            earlier = " (verified under the rules of 0.2)" if EARLIER_RULES in self.conditions else ""
            unlike = self._contradicted_tests
            return f"Plausible{earlier}: {PASSES}, but no independent evidence confirms the change{unlike}."
        if self.kind == "disputed":
            return "Disputed: the change passes its tests, but fails a test that somebody else wrote for the issue."
        if self.kind == "none":
            return "No verdict: no change was judged by tests."
        if self.generality == "examples only":
            return "Unproven: the patch is not shown to solve more than the examples of its tests."
        if self.no_loss is False and self.lost:
            tests = "a test that passed" if len(self.lost) == 1 else f"{len(self.lost)} tests that passed"
            return f"Unproven: the patch breaks {tests} before."
        if not self.is_tested:
            return "No verdict: no test results without and with the change could be compared."
        if not self.red:
            return "Unproven: no test fails without the change and passes with it."
        if not self.green:
            return "Unproven: the tests that fail without the change do not pass with it."
        if not self.red_again:
            return "Unproven: the tests pass without the change to the source."
        if self.no_loss is None:
            return "Unproven: it is unknown whether the tests that passed before still pass."
        return "Unproven: all parts of the proof pass, but a check doubts its results; its notes say why."

    @property
    def _contradicted_tests(self) -> str:
        if not self.contradicted:
            return ""
        tests = "an existing test" if len(self.contradicted) == 1 else f"{len(self.contradicted)} existing tests"
        return f"; it contradicts {tests} that assert{'s' * (len(self.contradicted) == 1)} the reported behaviour"

    @property
    def rank(self) -> int:
        """The rank of a tree among those of a run: complete > green and no loss > no loss, or green and nothing known
        about loss > the rest."""
        if self.complete:
            return 3
        if self.green and self.no_loss:
            return 2
        return int(bool(self.no_loss or (self.green and self.no_loss is None)))
