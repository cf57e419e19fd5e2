"""Whether an examiner judges the outcome of a strategy. The extension examiner provides it by the plug-in kind
`agent.lifecycle.examiner`, whose `examined` asks for tests before a repair and judges its outcome by them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.conversation.model_roles import has_examiner_model
from agent.run_state.strategy_traits import is_about_failing_tests, is_repair
from trajectories.facts import Fact
from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from agent.engine.branch import Branch
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Step

NOT_INSTALLED = "No independent tests were written: the extension examiner is not installed."


def with_examiner(branch: Branch, repair: Generator[Step, None, Outcome]) -> Generator[Step, None, Outcome]:
    """Yield the steps of a strategy's `repair` and of the examiner, and return the outcome that the examiner judged."""
    if not _is_examined(branch):
        return (yield from repair)
    if module := installed_module("agent.lifecycle.examiner"):
        judged: Outcome = yield from module.examined(branch, repair)
        return judged
    return _without_examiner((yield from repair))


def _is_examined(branch: Branch) -> bool:
    """Whether the examiner is asked. Other strategies than repairs have none, nor have runs without a model or an
    issue."""
    issue, settings = branch.turn.issue, branch.engine.settings
    if not settings.independent or not has_examiner_model(settings) or not is_repair(branch.turn.strategy):
        return False
    return bool(issue.text.strip()) and not is_about_failing_tests(issue)


def _without_examiner(outcome: Outcome) -> Outcome:
    """Return the outcome of a repair that the examiner should have judged; it is plausible at most."""
    verdict = outcome.verdict
    if not verdict.complete:
        return outcome
    fact = Fact("independent", NOT_INSTALLED, {"word": "none"})
    return replace(outcome, verdict=replace(verdict, kind="plausible", evidence="none", facts=(fact, *verdict.facts)))
