"""The proof step, and the selection of a run's best tree."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from aci.proof.evidence import find_test_file, is_named_in
from aci.proof.fact_words import UNCHANGED
from aci.proof.proof_run import PageEvidence, format_names
from aci.repository.patch import split_patch
from aci.repository.python_source import parse
from aci.repository.test_files import belongs_to_tests
from agent.engine.page_proof import PageCheck
from agent.engine.permission_checks import REFUSED, may_test
from agent.engine.tool_context import has_front_end
from agent.run_state.attempt_outcome import Outcome, load_verdict
from agent.run_state.strategy_traits import is_about_failing_tests, is_by_hand, is_conversational, is_proposed
from agent.run_state.turn_state import MAIN, current_tree
from trajectories.errors import Cancelled
from trajectories.facts import Fact, FactKind, unique_facts
from trajectories.outcome_words import PART_SENTENCES
from trajectories.records import Issue, Note, Observation, Run, Step
from trajectories.verdict import PASSES, Verdict

if TYPE_CHECKING:
    from aci.testing.suite_run import SuiteReport
    from agent.engine.branch import Branch
    from agent.engine.engine import Engine
    from agent.engine.proof_ahead import Fork, Proved, Say
    from trajectories.git_store.trees import Trees
    from trajectories.trajectory import Trajectory

ANSWER_TEXTS = {True: "yes", False: "NO", None: "not checked"}
BACKGROUND: frozenset[FactKind] = frozenset({"suite", "extent", "pages"})
"""Kinds of facts on the extent of a verdict's evidence. These facts are omitted from messages to the model because they
name no problem to fix."""
NO_LOSS_TEXT = "All tests that passed before still pass. The change is unproven: /prove runs the whole proof."
UNKNOWN_LOSS_TEXT = "It is unknown whether the tests that passed before still pass. /prove runs the whole proof."
PYTHON_RUNNERS = ("python3 -m pytest", "python3 -m unittest discover")
TURN_SHARE = 1 / 6
"""Part of the suite's time that the tests after a turn of a session have, for which a person waits."""
WHOLE_PROOF = f"Proof: complete. {PASSES.capitalize()}."
"""The message about a complete proof: the evidence that makes it *verified* is judged after the work."""
NO_TESTS = "No test ran before the change, so nothing shows whether it breaks anything."


def proof_step(
    branch: Branch,
    tree: str,
    reproduction: Sequence[str],
    places: Sequence[str],
    reproduces: bool = True,
    whole: bool = False,
    doubt: str = "",
    fitted: bool = False,
    contradictions: Mapping[str, str] | None = None,
) -> Observation:
    """Run a proof of `tree` against the files at the start of the turn, or of the run if `whole`.

    The observation carries the verdict and the parameters of the proof, so that the proof can be repeated. A `doubt`
    downgrades a complete proof to unproven and is added to its facts. No test runs if a hook rejects the patch.
    Tests that existed before the patch are independent evidence, unless it was `fitted` to them by a search. Tests in
    `contradictions` may fail with the patch; the values say why.
    """
    engine = branch.engine
    base = engine.run.base if whole else branch.turn.base
    proof = {"reproduction": list(reproduction), "places": list(places), "reproduces": reproduces}
    proof |= {"contradictions": dict(contradictions)} if contradictions else {}
    parameters = {**proof, "whole": whole}
    parameters |= {"doubt": doubt} if doubt else {}
    parameters |= {"fitted": True} if fitted else {}
    observed: dict[str, Any] = {}
    issue = combined_issue(engine.run, engine.trajectory) if whole else branch.turn.issue
    pages = PageCheck(branch, base.tree, tree, issue.text)
    if tree == base.tree:
        verdict = Verdict(facts=(UNCHANGED,))
    elif rejected := engine.hooks.reject_patch(tree, partial(run_patch, engine, tree), branch.cancel.is_set):
        verdict = Verdict("unproven", facts=(Fact("doubt", rejected),))
    elif not may_test(branch):
        verdict = Verdict("unproven", facts=(Fact("limit", REFUSED),))
        return Observation(REFUSED, ok=False, data={"verdict": asdict(verdict), "asked": parameters})
    else:
        say = partial(engine.report, "say", "proof")
        is_expected = branch.name == MAIN and not whole
        found = engine.proof_ahead.take(tree, json.dumps(proof), say) if is_expected else None
        verdict, reports = found or _prove(branch, base.tree, tree, issue, proof, branch.place.fork, say, pages)
        observed = _outcomes(*reports) if reports else {}
    verdict = with_doubt(verdict if fitted else _with_earlier_tests(branch, verdict, issue, base.tree, tree), doubt)
    if base.tree != engine.run.base.tree:
        # The commands assume a checkout of the run's base, but this proof started from another tree.
        verdict = replace(verdict, commands=())
    # The same fact may occur twice, from the test runs before and after the change.
    verdict = replace(verdict, facts=unique_facts(verdict.facts))
    words = verdict_text(verdict) if reproduces else regression_message(verdict)
    data: dict[str, Any] = {"verdict": asdict(verdict), "asked": parameters}
    if pages.pages:
        data["pages"] = pages.pages
    if observed:
        data["outcomes"] = engine.journal.keep(json.dumps(observed).encode())
        needed = pages.environment(verdict)
        data["environment"] = engine.workspaces.environment | engine.workspaces.python | needed
    return Observation(words, verdict.complete, data=data)


def start_turn_suite(branch: Branch) -> None:
    """Run the suite without the changes of a session's turn while the model still works. Not in the workspace `local`,
    where the user decides at the end of the turn whether tests may run."""
    settings = branch.turn.settings
    if branch.name == MAIN and settings.workspace != "local":
        base = branch.turn.base.tree
        branch.engine.proof_ahead.start(base, settings, branch.cancel, settings.suite_time * TURN_SHARE)


def expect_proof(branch: Branch, reproduction: Sequence[str], places: Sequence[str]) -> None:
    """Announce that `Task.prove` will be called with these parameters: this proof of the main branch then runs ahead,
    whenever tests pass while the model works.

    Pages are not compared ahead, since the branch itself does so; such a proof leaves only the results of its suites.
    """
    if branch.name != MAIN:
        return
    proof = {"reproduction": list(reproduction), "places": list(places), "reproduces": True}
    base, issue, compares_pages = branch.turn.base.tree, branch.turn.issue, has_front_end(branch)

    def check_pages(verdict: Verdict) -> PageEvidence:
        if compares_pages:
            raise Cancelled("Pages are compared after the work.")
        return PageEvidence()

    def prove(tree: str, fork: Fork, say: Say) -> Proved:
        return _prove(branch, base, tree, issue, proof, fork, say, check_pages)

    branch.engine.proof_ahead.expect(json.dumps(proof), prove)


def _prove(
    branch: Branch,
    base: str,
    tree: str,
    issue: Issue,
    parameters: Mapping[str, Any],
    fork: Fork,
    say: Say,
    check_pages: Callable[[Verdict], PageEvidence],
) -> Proved:
    from aci.proof.proof import prove

    engine = branch.engine
    prove_with = partial(
        prove,
        fork,
        engine.trees,
        base,
        tree,
        issue=issue,
        timeout=engine.settings.test_timeout,
        spare=engine.settings.suite_time * (1 if parameters["reproduces"] else TURN_SHARE),
        say=say,
        known=engine.baselines,
        changed_tests=engine.settings.update_tests and not parameters["reproduces"],
        edited_tests=is_proposed(branch.turn.strategy),
        check_pages=check_pages,
        **parameters,
    )
    return _prove_with_runners(engine.settings.test, prove_with)


def _prove_with_runners(command: str, prove_with: Callable[..., Verdict]) -> Proved:
    """Return the verdict, and the reports of the suite without and with the patch.

    If the `command` is detected and reports no test, Python's own runners are tried. A command of the model is not: it
    could leave out tests, or write results.
    """
    reports: list[SuiteReport | None] = []
    verdict = prove_with(command=command, observe=lambda *both: reports.extend(both))
    detected = reports[0] if reports else None
    has_doubt = any(fact.kind == "doubt" for fact in verdict.facts)
    if command or detected is None or detected.results or verdict.no_loss is not None or has_doubt:
        return verdict, reports
    for runner in (each for each in PYTHON_RUNNERS if each not in detected.command):
        again: list[SuiteReport | None] = []
        other = prove_with(command=runner, observe=lambda *both, again=again: again.extend(both))
        if again and again[0] and again[0].results:
            fact = Fact("limit", f"The detected test command reports no test. The tests ran with: {runner}")
            return replace(other, facts=(fact, *other.facts)), again
    return verdict, reports


def _with_earlier_tests(branch: Branch, verdict: Verdict, issue: Issue, base: str, tree: str) -> Verdict:
    """Return the verdict as verified if its fix is general and its tests existed before the patch and belong to the
    issue: the user or the issue names them."""
    if verdict.kind != "plausible" or verdict.generality != "shown" or not verdict.tests:
        return verdict
    named = branch.turn.settings.reproduce or ""
    is_failing = is_about_failing_tests(issue)
    trees = branch.engine.trees
    files = trees.files(base)
    if any(change.status != "A" and belongs_to_tests(change.path) for change in trees.changed(base, tree)):
        return verdict  # the tests may use files that the patch changes
    for test in verdict.tests:
        path = find_test_file(test, files)
        is_given = path == named or f"{test}::".startswith(f"{named}::")
        is_named = is_failing or is_given or is_named_in(issue.text, test, path)
        if not is_named or not path or trees.entry(base, path) != trees.entry(tree, path):
            return verdict
    return replace(verdict, kind="verified", evidence="earlier tests")


def run_patch(engine: Engine, tree: str) -> str:
    """Return the whole patch of the run if it ends with this tree."""
    return split_patch(engine.trees, engine.run.base.tree, tree).diff


def _outcomes(without: SuiteReport | None, patched: SuiteReport | None) -> dict[str, Any]:
    """Return the results of the suite's tests without and with the patch, and the command that ran them."""
    reports = {"without": without, "with": patched}
    results = {
        name: {result.id: result.outcome for result in report.results} for name, report in reports.items() if report
    }
    return results | {"command": without.command if without else ""}


def combined_issue(run: Run, trajectory: Trajectory) -> Issue:
    """Return all requests of the user so far, combined into one issue."""
    requests = [turn.request for turn in trajectory.turns[1:] if not is_by_hand(turn.strategy)]
    return replace(run.issue, body="\n\n".join(filter(None, [run.issue.body, *requests])))


def regression_message(verdict: Verdict) -> str:
    """Return a message for the user and the model about a verdict that was reached without a reproduction test."""
    details = _details(verdict, hidden=BACKGROUND | {"new_failures"})
    return "\n".join([regression_headline(verdict), *([] if is_untested(verdict) else details)])


def regression_headline(verdict: Verdict) -> str:
    """Return the first line of such a message, which names the lost tests and the new tests that fail."""
    if is_untested(verdict):
        return NO_TESTS
    lost = f"No longer passing: {format_names(verdict.lost)}."
    head = lost if verdict.no_loss is False else NO_LOSS_TEXT if verdict.no_loss else UNKNOWN_LOSS_TEXT
    new = [fact.text for fact in verdict.facts if fact.kind == "new_failures"]
    return " ".join([head, *new] if verdict.no_loss is False else [*new, head])


def is_untested(verdict: Verdict) -> bool:
    """Whether no test of the base ran at all."""
    return any(fact.kind == "untested" for fact in verdict.facts)


def verdict_of(step: Step) -> Verdict:
    """Return the verdict in a step of author `proof`."""
    return load_verdict(step.observations[0].data["verdict"])


def verdict_text(verdict: Verdict, whole: bool = False) -> str:
    """Return the verdict as a message that lists the problems for the model to fix; with `whole`, also notes on the
    extent of the tests."""
    lines = [WHOLE_PROOF if verdict.kind == "plausible" else f"Proof: {verdict.kind}. {verdict.headline}".strip()]
    lines += [f"- {meaning}: {ANSWER_TEXTS[getattr(verdict, part)]}" for part, meaning in PART_SENTENCES.items()]
    lines[-1] += f", {verdict.compared}" if verdict.no_loss and verdict.compared else ""
    if verdict.lost:
        lines.append(f"- lost: {', '.join(verdict.lost[:20])}{' …' if len(verdict.lost) > 20 else ''}")
    return "\n".join([*lines, *_details(verdict, whole)])


def _details(verdict: Verdict, whole: bool = False, hidden: frozenset[FactKind] = BACKGROUND) -> list[str]:
    shown = (fact.text for fact in verdict.facts if whole or fact.kind not in hidden)
    return [*(f"- {text}" for text in shown), *verdict.failures]


def best_outcome(trajectory: Trajectory, trees: Trees, base: str, branch: str = MAIN) -> Outcome:
    """Return the best tree of a branch and its sub-branches in this turn, which started from the tree `base`.

    A verified tree is preferred to one that passes the reproduction test (green), then to one that loses no passing
    tests, then to one that can be parsed; of equally ranked trees, the latest is returned. A tree does not count as
    verified if the last note on it of a judge contains evidence `against` it. Each judge without an answer is noted.
    For a conversational turn, the conversation's current tree is returned.
    """
    if is_conversational(trajectory.turns[-1].strategy) and branch == MAIN:
        tree = current_tree(trajectory, base)
        return Outcome(tree, Verdict("none" if tree == base else "unproven"))
    steps = (record for record in trajectory.of_turn if isinstance(record, Step))
    under = [step for step in steps if f"{step.branch}/".startswith(f"{branch}/")]
    notes = [record for record in trajectory.of_turn if isinstance(record, Note)]
    proven = [(_reviewed(verdict_of(step), step.tree, notes), step.tree) for step in under if step.author == "proof"]
    if proven:
        verdict, tree = max(enumerate(proven), key=lambda item: (item[1][0].rank, item[0]))[1]
        if verdict.rank:
            return Outcome(tree, verdict)
    changed = list(dict.fromkeys(step.tree for step in reversed(under) if step.tree != base))
    if not changed:
        return Outcome(base, Verdict())
    tree = next((tree for tree in changed if _parses(trees, base, tree)), changed[0])
    verdict = next((verdict for verdict, proven_tree in reversed(proven) if proven_tree == tree), Verdict("unproven"))
    return Outcome(tree, verdict)


def _reviewed(verdict: Verdict, tree: str, notes: Sequence[Note]) -> Verdict:
    """Return the verdict on a tree with what its judges say: the last answer of each counts, and a missing one is
    noted, which leaves an earlier objection. Notes that name no judge count as those of one judge."""
    against: dict[tuple[str, ...], str] = {}
    missing: dict[tuple[str, ...], str] = {}
    for note in notes:
        if note.data.get("tree") != tree:
            continue
        judge = (note.branch, str(note.data["judge"])) if "judge" in note.data else ()
        if "against" in note.data:
            against[judge] = str(note.data["against"])
            missing.pop(judge, None)
        elif note.data.get("judged") is False:
            missing[judge] = note.text
    doubts = [why for why in against.values() if why and verdict.may_be_judged]
    kind = "unproven" if doubts else verdict.kind
    limits = (Fact("limit", why) for why in missing.values())
    facts = unique_facts((*limits, *(Fact("doubt", why) for why in doubts), *verdict.facts))
    return replace(verdict, kind=kind, facts=facts)


def with_doubt(verdict: Verdict, why: str) -> Verdict:
    """Return the verdict; that of a complete proof becomes unproven if there is evidence against it (`why`)."""
    if not why or not verdict.may_be_judged:
        return verdict
    return replace(verdict, kind="unproven", facts=(Fact("doubt", why), *verdict.facts))


def rejected_outcome(outcome: Outcome, why: str) -> Outcome:
    """Return the outcome of a patch that a hook rejected with the sentence `why`: it is unproven, whatever was proven;
    the same outcome if `why` is empty."""
    if not why:
        return outcome
    facts = unique_facts((Fact("doubt", why), *outcome.verdict.facts))
    return replace(outcome, verdict=replace(outcome.verdict, kind="unproven", facts=facts), exit="")


def _parses(trees: Trees, base: str, tree: str) -> bool:
    """Return whether every Python file that differs between `base` and `tree` can be parsed in `tree`."""
    for change in trees.changed(base, tree):
        is_python = change.path.endswith(".py") and change.status != "D"
        if is_python and parse(trees.read(tree, change.path)) is None:
            return False
    return True
