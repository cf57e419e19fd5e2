"""One episode of an environment: a run, in a thread of its own, whose model is the caller of the environment."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from aci.repository.user_repository import Repository
from aci.runtime.workspace import BackgroundTask
from agent.config.settings import Settings, load_settings
from agent.conversation.messages import BranchConversation
from agent.conversation.model_requests import build_request, system_prompt
from agent.conversation.model_roles import CODER
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import begin, reopen, solve
from agent.lifecycle.run_result import Result
from agent.limits.cancellation import CancellationToken
from agent.models.base import Message
from agent.run_state.turn_state import MAIN
from extensions.lab.batch.job_settings import JobPreparation
from extensions.lab.evaluation.instance_grading import EvaluationContext, evaluate_one
from extensions.lab.evaluation.patch_grade import GradingResult
from extensions.lab.instances.dataset_instances import Gold
from extensions.lab.instances.jobs import Instance, Job
from extensions.lab.models.caller import Caller, CallerRequest, decode_action
from trajectories.errors import ConfigError, ModelError
from trajectories.records import Note
from trajectories.rewards import WRONG

RESOLVED = 1.0
"""The reward of a patch that resolves the issue."""


@dataclass(frozen=True, slots=True)
class EpisodePlan:
    """What all episodes of an environment share.

    With a `gold`, its tests grade the patch, as `grading` says; without one, the proof decides. `state` is the user's
    state folder, in which the runs are registered.
    """

    instance: Instance
    gold: Gold | None
    prepare: JobPreparation
    settings: Settings
    grading: EvaluationContext
    state: Path


@dataclass(frozen=True, slots=True)
class EpisodeEnd:
    """The end of an episode. `messages` is the whole conversation; `grade` is None if no tests were run."""

    result: Result
    messages: list[Message]
    resolved: bool
    grade: GradingResult | None

    @property
    def reward(self) -> float:
        return RESOLVED if self.resolved else WRONG


class Episode:
    """A run that starts at once. Each `receive` returns a request, which `send` answers, or the end."""

    def __init__(self, plan: EpisodePlan) -> None:
        self._plan = plan
        self._requests: SimpleQueue[CallerRequest | None] = SimpleQueue()
        self._cancel = CancellationToken()
        self._caller: Caller | None = None
        self._tools: list[dict[str, Any]] = []
        self._task = BackgroundTask(self._run, "episode")

    def receive(self) -> CallerRequest | EpisodeEnd:
        """Wait for the next request or the end. Raises the SweAgentError that stopped the run."""
        request = self._requests.get()
        if request is None:
            return self._task.answer()
        self._tools = request.tools
        return request

    def send(self, action: str | Mapping[str, Any]) -> None:
        """Answer the request. Raises UsageError for an action that is neither a text nor a message."""
        assert self._caller is not None, "there was no request"
        self._caller.answer(decode_action(action, self._tools, self._caller.name))

    def close(self) -> None:
        """Stop the run if it has not ended, and close its workspace and files."""
        self._cancel.set()
        self._task.wait()

    def _run(self) -> EpisodeEnd:
        try:
            with self._open() as engine:
                caller = engine.models.named(engine.settings.model)
                if not isinstance(caller, Caller):
                    raise ConfigError("The administrator's policy names another model.", "Ask the administrator.")
                caller.connect(self._requests)
                self._caller = caller
                result = _finish(engine)
                messages = _conversation(engine, caller)
                engine.leave_workspace()  # the tests run in their own
                return self._grade(engine, result, messages)
        finally:
            self._requests.put(None)

    def _open(self) -> Engine:
        plan = self._plan
        job = plan.prepare(Job(plan.instance, 1, Path(), plan.settings))
        source, base = Repository.open(job.repository), plan.instance.base or "HEAD"
        directory = begin(plan.instance.issue, source, job.settings, base, registry=plan.state)
        return reopen(
            directory, job.settings.state, parent=self._cancel, trusted=job.settings.runs, registry=plan.state
        )

    def _grade(self, engine: Engine, result: Result, messages: list[Message]) -> EpisodeEnd:
        """Return the end of the run, and record its reward; without a verdict of the tests, nothing is recorded."""
        gold, grade = self._plan.gold, None
        if gold is not None and result.patch.source:
            options = replace(self._plan.grading, cancel=self._cancel)
            grade = evaluate_one(gold, self._plan.instance, result.patch.source, options)
        resolved = result.verdict.complete if gold is None else grade is not None and grade.resolved
        end = EpisodeEnd(result, messages, resolved, grade)
        if grade is not None and grade.error:
            return end
        judge = "the proof" if gold is None else "the instance's tests"
        text = f"Reward {end.reward:g} by {judge}."
        engine.journal.append(Note(MAIN, "score", text, {"reward": end.reward, "resolved": resolved}))
        return end


def _finish(engine: Engine) -> Result:
    steps = solve(engine)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def _conversation(engine: Engine, caller: Caller) -> list[Message]:
    """Return the conversation with the results of the last reply, as the next request would contain it."""
    trajectory, steps = engine.trajectory, engine.trajectory.steps[MAIN]
    last = trajectory.last_replies.get(MAIN)
    ask = last.ask + 1 if last else 1
    system = system_prompt(engine.run.prompts, CODER)
    with suppress(ModelError):  # it may not fit the window that the user's configuration gives the caller
        return build_request(
            BranchConversation(engine.journal.recall), trajectory, MAIN, ask, system, steps, caller
        ).messages
    return []


def plan_episodes(instance: Instance, gold: Gold | None, prepare: JobPreparation) -> EpisodePlan:
    """Return the plan for an instance. Raises UsageError and ConfigError for settings that cannot be used."""
    # As for `evaluate`, the repository's own file does not say how the instance's tests are run.
    chosen = {name: value for name, value in prepare.flags.items() if name in ("workspace", "image", "test")}
    grading = EvaluationContext(load_settings(**chosen), prepare.repositories.of)
    (job,) = prepare.jobs([instance], 1)
    return EpisodePlan(instance, gold, prepare, job.settings, grading, load_settings().state)
