"""The examiner: a role that writes tests from the issue before the repair starts, and never sees a patch.

Its tests are evidence by somebody else than the author of the patch. They run only on the patch that a strategy has
chosen, in forks of their own, and no strategy, tool or prompt reads them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from aci.proof.evidence import added_lines
from aci.repository.test_files import is_test
from agent.conversation.model_roles import CODER, EXAMINER
from agent.engine.loop import loop
from agent.engine.permission_checks import may_test
from agent.engine.proof_step import proof_step, verdict_of
from agent.prompts.answer_parser import parse_edits
from agent.prompts.opening_prompt import places
from agent.prompts.test_command_prompt import tried_command
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.strategy_traits import is_proposed
from agent.run_state.turn_state import EXAMINER_RECORDS
from extensions.examiner.blind_evidence import BlindEvidence, evidence_fact, fresh_tests, judge_blind_tests
from extensions.examiner.blind_tests import (
    BlindResult,
    BlindTest,
    PatchedBase,
    parse_blind_tests,
    run_blind_tests,
)
from extensions.examiner.challenger import challenge, challenge_fact, failing_results, read_decisions
from extensions.examiner.challenger_prompt import objections
from extensions.examiner.corrected_tests import (
    CorrectedTest,
    find_contradictions,
    find_existing_tests,
    run_corrected_tests,
)
from extensions.examiner.examiner_prompt import SYSTEM, correction, examiner_prompt, kept_tests, revision, second_look
from trajectories.errors import Cancelled, ModelError, Stop, UsageError, WorkspaceError
from trajectories.facts import Fact

if TYPE_CHECKING:
    from agent.engine.branch import Branch
    from extensions.examiner.blind_tests import BlindTests
    from trajectories.records import Reply, Step
    from trajectories.verdict import Verdict

TESTS, RESULTS, REVISED, CORRECTED, CHALLENGED = EXAMINER_RECORDS
AT_ONCE = 0.1
"""Number of seconds in which a recorded reply is there."""
CONTRADICTED = re.compile(r"^[^\w\n]*(\d+)[^\w\n]+red[^\w\n]+(.+)$", re.IGNORECASE | re.MULTILINE)
BLOCK = re.compile(r"^<{7} ?SEARCH.*?^>{7} ?REPLACE[^\n]*$", re.DOTALL | re.MULTILINE)
WITHDRAWN = re.compile(r"^[^\w\n]*(\w+)[^\w\n]+withdrawn\b", re.IGNORECASE | re.MULTILINE)


def examined(branch: Branch, repair: Generator[Step, None, Outcome]) -> Generator[Step, None, Outcome]:
    """Yield the steps of a strategy's `repair`; ask for tests before it, and judge its outcome by them."""
    examiner = Examiner(branch)
    yield from examiner.write_tests()
    outcome = yield from examiner.judge((yield from repair))
    return (yield from examiner.revise(outcome))


class Examiner:
    """The examiner of one turn: `write_tests` before the repair, `judge` after it, and `revise` if it objects."""

    def __init__(self, branch: Branch) -> None:
        self._branch = branch
        own = branch.beside(EXAMINER, EXAMINER)
        own.turn = replace(own.turn, prompts={**own.turn.prompts, EXAMINER: SYSTEM})
        self._own = own
        self._tests: BlindTests | None = None
        self._against: BlindResult | None = None
        self._objection = ""
        self._shown = ""

    def write_tests(self) -> Generator[Step, None, None]:
        """Ask for the tests, and record their hash. Without an answer that can be used, there is no evidence."""
        branch = self._branch
        try:
            yield self._own.say(branch.once("examiner", lambda: examiner_prompt(branch, places(branch))))
            reply = self._ask_during_setup()
            yield self._own.step(reply, ())
        except ModelError as error:
            if error.retryable:
                raise
            branch.notify(f"No independent tests were written: {error.message}")
            return
        self._tests = parse_blind_tests(reply.text)
        branch.once(TESTS, lambda: self._tests.digest if self._tests else "")

    def _ask_during_setup(self) -> Reply:
        """Return the examiner's reply; unless it is recorded, the test command is tried meanwhile."""
        with ThreadPoolExecutor(1, "examiner") as pool:
            asked = pool.submit(self._own.ask, tools=False)
            if not wait([asked], AT_ONCE).done:
                tried_command(self._branch, places(self._branch))
            return asked.result()

    def judge(self, outcome: Outcome) -> Generator[Step, None, Outcome]:
        """Return the outcome with the evidence of the tests, and of the challenger's if it would be verified and the
        patch is by somebody else; one whose proof is not complete is returned unchanged."""
        if self._tests is not None and _loses_tests_only(outcome.verdict):
            outcome = yield from self._correct_tests(outcome)
        if outcome.verdict.may_be_judged:
            outcome = yield from self._judge(outcome)
        is_challenged = outcome.verdict.kind == "verified" and is_proposed(self._branch.turn.strategy)
        return (yield from self._challenged(outcome)) if is_challenged else outcome

    def _judge(self, outcome: Outcome) -> Generator[Step, None, Outcome]:
        """Return the outcome with the evidence of the blind tests, which outweigh the experiment on generality."""
        tests, verdict = self._tests, outcome.verdict
        if tests is None:
            return _with_fact(
                outcome, Fact("independent", "No tests were written without the patch.", {"word": "none"})
            )
        results, doubts = self._results(REVISED if self._shown else RESULTS, tests, outcome.tree)
        shown = [one for one in results if one.test.name == self._shown]
        results = [one for one in results if one.test.name != self._shown]
        fresh = fresh_tests(tests, self._known_text(outcome.tree, not verdict.complete))
        judged, withdrawn = judge_blind_tests(results, fresh), frozenset[str]()
        if failing := tuple(one for one in shown if one.patched == "fails"):
            judged = replace(judged, word="disputed", against=failing, asks=())
        elif judged.asks:
            withdrawn = yield from self._second_look(judged)
            judged = judge_blind_tests(results, fresh, withdrawn)
        verdict = _with_fact(outcome, evidence_fact(judged, withdrawn)).verdict
        if doubts:
            verdict = _doubted(verdict, doubts)
        elif judged.word == "disputed" and verdict.complete:
            verdict = replace(verdict, kind="disputed", evidence="none")
            self._against = judged.against[0]
            self._objection = revision(self._against)
        elif judged.word == "agrees":
            facts = tuple(fact for fact in verdict.facts if not fact.data.get("is_fitted"))
            generality = verdict.generality if verdict.complete else "undecided"
            verdict = replace(verdict, kind="verified", evidence="blind tests", generality=generality, facts=facts)
        return replace(outcome, verdict=verdict)

    def _challenged(self, outcome: Outcome) -> Generator[Step, None, Outcome]:
        """Return the outcome of a verified patch after a challenge: disputed if a test fails that the examiner, without
        the patch, requires, and plausible if the challenge did not come to an end."""
        answer, tests = "", None
        results: list[BlindResult] = []
        doubts: list[Fact] = []
        decided: dict[str, str] = {}
        try:
            answer = yield from challenge(self._branch, outcome.tree)
            if tests := parse_blind_tests(answer):
                results, doubts = self._results(CHALLENGED, tests, outcome.tree)
                if failing := failing_results(results):
                    decided = read_decisions((yield from self._answer(objections(tests, failing))))
        except Cancelled:
            if self._is_users_stop():
                raise
        except Stop as stop:
            self._branch.notify(f"The challenge of the patch ended: {stop.message}")
        fact = challenge_fact(answer, results, decided)
        verdict = _with_fact(outcome, fact).verdict
        if doubts:
            verdict = _doubted(verdict, doubts)
        elif fact.data["word"] == "required":
            verdict = replace(verdict, kind="disputed", evidence="none")
        elif fact.data["word"] in ("missing", "undecided"):
            verdict = replace(verdict, kind="plausible", evidence="none")
        return replace(outcome, verdict=verdict)

    def _is_users_stop(self) -> bool:
        """Whether the run was cancelled by the user, and not by its time limit."""
        cancel = self._branch.cancel
        return cancel.stopped or not cancel.expired

    def revise(self, outcome: Outcome) -> Generator[Step, None, Outcome]:
        """Return the outcome of one more round after an objection: the coder sees one failing input, or the existing
        tests that the examiner keeps. The same outcome without an objection, or if the round ends without a patch that
        can be judged.

        A test whose input was shown counts only against the new patch. Patches of somebody else are not revised, nor
        those that were not made in the main conversation.
        """
        branch, proof = self._branch, self._last_proof(outcome)
        is_made_here = any(step.reply and step.author == CODER for step in branch.steps)
        if not self._objection or proof is None or not is_made_here or is_proposed(branch.turn.strategy):
            return outcome
        self._shown = self._against.test.name if self._against else ""
        try:
            yield branch.say(self._objection)
            yield from loop(branch)
            step = branch.examine("proof", lambda tree: proof_step(branch, tree, **_parameters(proof)))
            yield step
            revised = Outcome(step.tree, verdict_of(step), outcome.exit)
            if step.tree == outcome.tree or not revised.verdict.may_be_judged:
                return outcome
            return (yield from self.judge(revised))
        except Cancelled:
            if self._is_users_stop():
                raise
        except Stop:
            pass
        return outcome

    def _last_proof(self, outcome: Outcome) -> Step | None:
        """Return the last proof of the main conversation, if it is that of the outcome."""
        proof = next((step for step in reversed(self._branch.steps) if step.author == "proof"), None)
        return proof if proof and proof.tree == outcome.tree else None

    def _correct_tests(self, outcome: Outcome) -> Generator[Step, None, Outcome]:
        """Return the outcome of a proof without the lost tests that the issue contradicts, if it contradicts all."""
        branch, base = self._branch, self._branch.turn.base.tree
        existing = find_existing_tests(branch.engine.trees, base, outcome.verdict.lost)
        proof = self._last_proof(outcome)
        if not existing or proof is None:
            return outcome
        answer = yield from self._answer(correction(existing))
        edits = [(one.arguments["path"], one.arguments["old"], one.arguments["new"]) for one in parse_edits(answer)]
        said = dict(CONTRADICTED.findall(BLOCK.sub("", answer)))
        sentences = [said.get(str(number), "").strip(' "“”`') for number in range(1, len(existing) + 1)]
        if not edits or not all(sentences):
            self._objection = kept_tests(existing) if answer else ""
            return outcome
        run = partial(run_corrected_tests, existing=existing, edits=edits)
        recorded = branch.once(CORRECTED, lambda: self._run(run, outcome.tree))
        corrected = [CorrectedTest(**one) for one in recorded["results"]]
        contradictions = find_contradictions(existing, corrected, sentences)
        if recorded["doubts"] or not contradictions:
            return outcome
        again = _parameters(proof) | {"contradictions": contradictions}
        step = branch.examine("proof", lambda tree: proof_step(branch, tree, **again))
        yield step
        return replace(outcome, verdict=verdict_of(step)) if step.tree == outcome.tree else outcome

    def _results(self, name: str, tests: BlindTests, tree: str) -> tuple[list[BlindResult], list[Fact]]:
        """Return the results of blind tests with the patch, recorded under a name, and the doubts about them."""
        run = partial(run_blind_tests, tests=tests)
        recorded: dict[str, Any] = self._branch.once(name, lambda: self._run(run, tree))
        results = [BlindResult(**{**one, "test": BlindTest(**one["test"])}) for one in recorded["results"]]
        return results, [Fact("doubt", text) for text in recorded["doubts"]]

    def _run(self, run: Callable[[PatchedBase], tuple[Sequence[Any], list[Fact]]], tree: str) -> dict[str, Any]:
        """Return the results of tests with the patch, and the words of the doubts, for the record."""
        branch, engine = self._branch, self._branch.engine
        if not may_test(branch):
            return {"results": [], "doubts": []}
        branch.notify("Running the tests of the examiner")
        base, settings = branch.turn.base.tree, engine.settings
        patched = PatchedBase(
            branch.place.fork, engine.trees, base, tree, branch.turn.issue, settings.test, settings.test_timeout
        )
        try:
            results, doubts = run(patched)
        except (UsageError, WorkspaceError) as error:
            branch.cancel.check()
            branch.notify(f"The tests of the examiner could not run: {error.message}")
            return {"results": [], "doubts": []}
        return {"results": [asdict(one) for one in results], "doubts": [fact.text for fact in doubts]}

    def _known_text(self, tree: str, with_source: bool) -> str:
        """Return the issue and the lines that the patch adds to test files, or to all files."""
        branch, trees = self._branch, self._branch.engine.trees
        changed = [each.path for each in trees.changed(branch.turn.base.tree, tree)]
        paths = [path for path in changed if with_source or is_test(path)]
        diff = trees.diff(branch.turn.base.tree, tree, paths) if paths else ""
        return "\n".join([branch.turn.issue.text, *added_lines(diff)])

    def _second_look(self, judged: BlindEvidence) -> Generator[Step, None, frozenset[str]]:
        """Ask whether the issue implies the failing tests, and return the withdrawn ones. Tests about which there is no
        answer are withdrawn."""
        names = frozenset(one.test.name for one in judged.asks)
        answer = yield from self._answer(second_look(judged.asks))
        return names & frozenset(WITHDRAWN.findall(answer)) if answer else names

    def _answer(self, question: str) -> Generator[Step, None, str]:
        """Return the examiner's answer to one more question; "" if the model has none."""
        try:
            yield self._own.say(question)
            reply = self._own.ask(tools=False)
            yield self._own.step(reply, ())
        except ModelError as error:
            if error.retryable:
                raise
            return ""
        return reply.text


def _parameters(proof: Step) -> dict[str, Any]:
    """Return the parameters of a recorded proof, to repeat it."""
    return dict(proof.observations[0].data["asked"])


def _loses_tests_only(verdict: Verdict) -> bool:
    """Whether a proof is complete apart from lost tests."""
    is_shown = bool(verdict.red and verdict.green and verdict.red_again)
    return is_shown and bool(verdict.lost) and all(fact.kind != "doubt" for fact in verdict.facts)


def _doubted(verdict: Verdict, doubts: Sequence[Fact]) -> Verdict:
    return replace(verdict, kind="unproven", evidence="", facts=(*doubts, *verdict.facts))


def _with_fact(outcome: Outcome, fact: Fact) -> Outcome:
    return replace(outcome, verdict=replace(outcome.verdict, facts=(fact, *outcome.verdict.facts)))
