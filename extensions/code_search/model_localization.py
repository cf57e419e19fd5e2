"""One localization that a model takes part in, as a run of its own: `swe-agent locate --model`, and a tool over MCP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aci.observation.untrusted_text import clean_text
from agent.config.settings import NOWHERE, WITHOUT_MEMORY, load_settings
from agent.console.foreground_run import run_to_end
from agent.console.run_display import Console
from agent.conversation.model_roles import LOCATOR, validate_models
from agent.lifecycle.result_json import as_json
from agent.lifecycle.run_lifecycle import begin, reopen
from agent.run_state.turn_state import MAIN
from extensions.code_search.located_places import LOCATED, NOTHING, RANKING, merge_places, record_ranking
from extensions.code_search.locator import STRATEGY
from trajectories.errors import SweAgentError
from trajectories.records import Once

if TYPE_CHECKING:
    from aci.localization.issue_localization import LocalizationResult
    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from agent.engine.engine import Engine
    from agent.lifecycle.run_result import Result
    from agent.run_state.progress_event import ProgressEvent
    from trajectories.records import Issue, Step
    from trajectories.trajectory import Trajectory

SETTINGS: dict[str, Any] = {"strategy": STRATEGY, "subtree": "", "independent": False, "merge_review": False}
"""Settings of such a run."""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The model's places, and the run that asked for them."""

    found: LocalizationResult
    """The model's places first, then the others; without an answer, the ranking as it was."""
    document: dict[str, Any]
    """The object `model` of `locate --json`."""
    code: int
    """The exit code."""
    error: str = ""
    """Why there is no answer, and what to do."""

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
    """Return the settings of a run that asks this model, whatever model the role has. Raises ConfigError if it is not
    available."""
    own = source.file(".swe-agent.toml", rev) or b""
    settings = load_settings(
        own, model=model, budget=budget, max_tokens=max_tokens, roles={}, **WITHOUT_MEMORY, **SETTINGS
    )
    return validate_models(settings, STRATEGY)[0].model_copy(update=NOWHERE)


class _SilentConsole(Console):
    """The console of a run whose result the caller shows; only messages, such as those about retries, go to `say`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(json=True, plain=True)
        self._say = say

    def heartbeat(self) -> AbstractContextManager[None]:
        return nullcontext()

    def happening(self, event: ProgressEvent) -> None:
        if event.kind == "say":
            self._say(event.text)

    def heading(self, trajectory: Trajectory) -> None: ...
    def step(self, step: Step) -> None: ...
    def result(self, result: Result, error: SweAgentError | None = None) -> None: ...


def ask_locator(
    found: LocalizationResult,
    issue: Issue,
    source: Repository,
    settings: Settings,
    rev: str | None,
    top: int,
    say: Callable[[str], None],
) -> ModelAnswer:
    """Let the settings' model rank the places that were `found` without it, in a recorded run; `top` is the number of
    places of each kind in the answer.

    `say` gets messages about retries. Raises what the creation of a run raises; later errors are in the answer.
    """
    answers: list[ModelAnswer] = []

    def start() -> Engine:
        engine = reopen(begin(issue, source, settings, rev), settings.state, console.happening)
        engine.journal.append(Once(MAIN, RANKING, record_ranking(found.places)))
        return engine

    def on_end(engine: Engine, ended: Result, error: SweAgentError | None) -> None:
        answers.append(answer_of(engine, found, top, as_json(ended, error)))

    console = _SilentConsole(say)
    run_to_end(start, console, on_end=on_end)
    return answers[0]


def answer_of(engine: Engine, found: LocalizationResult, top: int, run: Mapping[str, Any]) -> ModelAnswer:
    """Return the answer of a run on the places that were `found` without a model; `run` is the result as JSON."""
    recorded = engine.trajectory.results.get((MAIN, LOCATED))
    located = recorded.value if recorded else NOTHING
    document = {"name": engine.settings.roles.get(LOCATOR, engine.settings.model)}
    document |= {name: run[name] for name in ("run", "usage", "error") if name in run} | _public(located)
    problem = run.get("error")
    text = f"{problem['message']} {problem['fix']}".strip() if problem else ""
    return ModelAnswer(found._replace(places=merge_places(found.places, located, top)), document, run["exit"], text)


def answer_json(engine: Engine, found: LocalizationResult, top: int, run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object that `locate --model --json` prints."""
    answer = answer_of(engine, found, top, run)
    return answer.found.as_json() | {"model": answer.document}


def _public(located: dict[str, Any]) -> dict[str, Any]:
    """Return the record of the model's places as it is printed."""
    places = []
    for place in located["places"]:
        name = {"name": place["name"], "line": place["line"]} if place["name"] else {}
        places.append({"path": place["path"], **name, "why": list(place["why"])})
    return {"places": places, "dropped": located["dropped"]}
