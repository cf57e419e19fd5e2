"""One localization that a model takes part in, as a run of its own: `swe-agent locate --model`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aci.observation.untrusted_text import clean_text
from agent.config.settings import NOWHERE, WITHOUT_MEMORY, load_settings
from agent.console.foreground_run import run_to_end
from agent.console.run_display import Console
from agent.conversation.model_roles import validate_models
from agent.lifecycle.result_json import as_json
from agent.lifecycle.run_lifecycle import begin, reopen, solve
from agent.run_state.turn_state import MAIN
from extensions.code_search.located_places import LOCATED, RANKING, limit_places, merge_places, record_ranking
from trajectories.errors import SweAgentError
from trajectories.records import Once

if TYPE_CHECKING:
    from aci.localization.issue_localization import LocalizationResult
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from trajectories.records import Issue

STRATEGY = "locate-places"
SETTINGS: dict[str, Any] = {
    **WITHOUT_MEMORY,
    "strategy": STRATEGY,
    "roles": {},
    "subtree": "",
    "independent": False,
    "merge_review": False,
}
"""Settings of such a run. The model that was given answers, not that of a role."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What came of the model's answer."""

    found: LocalizationResult
    """The model's places first, then the others; without an answer, the ranking as it was."""
    document: dict[str, Any]
    """The object `model` of `locate --json`."""
    code: int
    """The exit code."""
    error: str = ""
    """Why there is no answer, and what to do."""

    def places_of(self, top: int) -> LocalizationResult:
        """Return the result with the first `top` places of each kind."""
        return limit_places(self.found, top)

    @property
    def summary(self) -> str:
        """One line on the answer and the run: its tokens, its cost and its name."""
        usage = self.document["usage"]
        money = "price unknown" if usage["dollars"] is None else f"${usage['dollars']:.4f}"
        calls = "1 call" if usage["calls"] == 1 else f"{usage['calls']} calls"
        tokens = f"{usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out"
        none = "" if self.document["places"] or self.error else "The model named no place of the repository. "
        return f"{none}{calls} to {clean_text(self.document['name'])}, {tokens}, {money}; run {self.document['run']}"


def locator_settings(
    source: Repository, rev: str | None, model: str, budget: float | None = None, max_tokens: int | None = None
) -> Settings:
    """Return the settings of a run that asks this model. Raises ConfigError if the model is not available."""
    own = source.file(".swe-agent.toml", rev) or b""
    settings = load_settings(own, model=model, budget=budget, max_tokens=max_tokens, **SETTINGS)
    return validate_models(settings, STRATEGY)[0].model_copy(update=NOWHERE)


class _SilentConsole(Console):
    """The console of a run whose result the caller shows."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(json=True)
        self._say = say

    def heartbeat(self) -> AbstractContextManager[None]:
        return nullcontext()

    def happening(self, event: Any) -> None:
        if event.kind == "say":
            self._say(event.text)

    def result(self, result: Result, error: SweAgentError | None = None) -> None:
        pass


def ask_locator(
    found: LocalizationResult,
    issue: Issue,
    source: Repository,
    settings: Settings,
    rev: str | None,
    say: Callable[[str], None],
) -> ModelAnswer:
    """Let the settings' model rank the places that were `found` without it, in a recorded run.

    `say` gets messages about retries. Raises what the creation of a run raises; later errors are in the answer.
    """
    answers: list[ModelAnswer] = []

    def start() -> Engine:
        engine = reopen(begin(issue, source, settings, rev), settings.state, console.happening)
        engine.journal.append(Once(MAIN, RANKING, record_ranking(found.places)))
        return engine

    def work(engine: Engine, _: Console) -> Result:
        steps = solve(engine)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result

    def on_end(engine: Engine, ended: Result, error: SweAgentError | None) -> None:
        located = engine.trajectory.results.get((MAIN, LOCATED))
        answers.append(_answer(found, settings.model, located.value if located else None, ended, error))

    console = _SilentConsole(say)
    run_to_end(start, console, work, on_end)
    return answers[0]


def _answer(
    found: LocalizationResult, model: str, located: Any, ended: Result, error: SweAgentError | None
) -> ModelAnswer:
    run = as_json(ended, error)
    document: dict[str, Any] = {"name": model} | {name: run[name] for name in ("run", "usage", "error") if name in run}
    document |= {"places": [], "dropped": []} if located is None else _public(located)
    problem = run.get("error")
    text = f"{problem['message']} {problem['fix']}".strip() if problem else ""
    return ModelAnswer(merge_places(found, located) if located else found, document, run["exit"], text)


def _public(located: dict[str, Any]) -> dict[str, Any]:
    """Return the record of the model's places as it is printed."""
    places = []
    for place in located["places"]:
        name = {"name": place["name"], "line": place["line"]} if place["name"] else {}
        places.append({"path": place["path"], **name, "why": list(place["why"])})
    return {"places": places, "dropped": located["dropped"]}
